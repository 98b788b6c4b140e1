//! Containers whose fleet could not remove them.

use std::process::Command;

use redlock_tests::fleet::Fleet as _;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::ContainerCreateBody;
use tokio::runtime::Runtime;

use super::docker_fleet;

/// The id of a process that is gone.
fn dead() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

async fn create(docker: &Docker, image: &str, owner: String) -> String {
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(vec!["redis-server".to_owned()]),
        labels: Some([("redlock.owner".to_owned(), owner)].into()),
        ..ContainerCreateBody::default()
    };
    docker.create_container(None, body).await.unwrap().id
}

#[test]
fn a_fleet_removes_containers_of_dead_processes_and_no_others() {
    let Some(fleet) = docker_fleet(1) else { return };
    let runtime = Runtime::new().unwrap();
    let docker = runtime.block_on(testcontainers::core::client::docker_client_instance()).unwrap();
    let server = fleet.server();
    let image = server.rsplit_once(' ').unwrap().1;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let owned_by = |owner: String| runtime.block_on(create(&docker, image, owner));
    let dead = dead();
    let abandoned = owned_by(format!("{}:{dead}", host.trim()));
    let others = [
        owned_by(format!("{}:{}", host.trim(), std::process::id())),
        owned_by(format!("another-machine:{dead}")),
    ];
    let next = docker_fleet(1).unwrap();
    let is_there = |id: &String| runtime.block_on(docker.inspect_container(id, None)).is_ok();
    let found = (is_there(&abandoned), others.each_ref().map(is_there));
    for id in &others {
        runtime.block_on(docker.remove_container(id, None)).unwrap();
    }
    assert_eq!(found, (false, [true, true]));
    drop(next);
}
