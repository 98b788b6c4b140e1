//! One container, and what the engine is asked about it.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::process;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::IntoContainerPort as _;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

use super::super::client::wait;
use super::done;
use super::image::ImageName;

/// The label that says which fleet a container belongs to.
pub(super) const FLEET: &str = "redlock.fleet";
/// The label that says which process of which machine has started it: `HOST:PID`.
const OWNER: &str = "redlock.owner";

const PORT: u16 = 6379;
const CONFIGURATION: &str = "/redlock.conf";

/// How to create a container.
pub(super) struct Plan {
    pub(super) image: ImageName,
    /// The fleet's name.
    pub(super) fleet: String,
    /// What the user `locker` may do.
    pub(super) rights: String,
    /// Passwords of the users `default` and `locker`.
    pub(super) admin: String,
    pub(super) locker: String,
}

/// A container, which is removed when this is dropped.
pub(super) struct Container(Option<ContainerAsync<GenericImage>>);

/// Whether it runs. One that is paused does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    pub(super) running: bool,
    pub(super) paused: bool,
}

impl Container {
    /// Creates and starts one whose server listens on this port of 127.0.0.1.
    pub(super) fn create(plan: &Plan, port: u16) -> Result<Self, String> {
        let request = GenericImage::new(&plan.image.name, &plan.image.tag)
            .with_mapped_port(port, PORT.tcp())
            .with_host_config_modifier(|host| {
                // Nobody but this machine has any business with it.
                for binding in host.port_bindings.iter_mut().flat_map(HashMap::values_mut).flatten().flatten()
                {
                    binding.host_ip = Some("127.0.0.1".to_owned());
                }
            })
            .with_copy_to(CONFIGURATION, plan.configuration().into_bytes())
            .with_label(FLEET, &plan.fleet)
            .with_label(OWNER, owner(process::id()))
            .with_cmd(["redis-server", CONFIGURATION]);
        let created = wait(async move { request.start().await.map_err(|error| chain(&error)) });
        done(created).map(|container| Self(Some(container)))
    }

    pub(super) fn id(&self) -> String {
        self.0.as_ref().map(|container| container.id().to_owned()).unwrap_or_default()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(container) = self.0.take() {
            // One that cannot be removed is left to the next fleet.
            let _ = wait(async move { container.rm().await.map_err(drop) });
        }
    }
}

impl Plan {
    fn configuration(&self) -> String {
        let Self { rights, admin, locker, .. } = self;
        let quoted = |word: &str| format!(" \"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""));
        let rights: String = rights.split_ascii_whitespace().map(quoted).collect();
        format!(
            "port {PORT}\ndir /data\nprotected-mode no\nsave \"\"\nappendonly yes\nappendfsync no\n\
             user default reset on >{admin} ~* &* +@all\nuser locker reset on >{locker}{rights}\n"
        )
    }
}

pub(super) async fn state(docker: Docker, id: String) -> Result<State, String> {
    let found = docker.inspect_container(&id, None).await.map_err(|error| chain(&error))?;
    let state = found.state.unwrap_or_default();
    Ok(State { running: state.running.unwrap_or(false), paused: state.paused.unwrap_or(false) })
}

/// SIGKILL; returns once it is gone.
pub(super) async fn kill(docker: Docker, id: String) -> Result<(), String> {
    let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
    docker.kill_container(&id, Some(options)).await.map_err(|error| chain(&error))?;
    while state(docker.clone(), id.clone()).await?.running {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

pub(super) async fn start(docker: Docker, id: String) -> Result<(), String> {
    docker.start_container(&id, None).await.map_err(|error| chain(&error))
}

/// The engine's cgroup freezer.
pub(super) async fn pause(docker: Docker, id: String) -> Result<(), String> {
    docker.pause_container(&id).await.map_err(|error| chain(&error))
}

pub(super) async fn resume(docker: Docker, id: String) -> Result<(), String> {
    docker.unpause_container(&id).await.map_err(|error| chain(&error))
}

/// Removes containers of earlier fleets whose process on this machine is gone.
pub(super) async fn remove_abandoned(docker: Docker) -> Result<(), String> {
    let is_abandoned = |labels: &HashMap<String, String>| {
        let owner_is_gone = |text: &String| {
            let pid = text.rsplit_once(':').and_then(|(_, pid)| pid.parse().ok());
            pid.is_some_and(|pid: u32| *text == owner(pid) && is_gone(pid))
        };
        labels.get(OWNER).is_some_and(owner_is_gone)
    };
    remove(docker, OWNER, &["created", "running", "paused", "exited", "dead"], is_abandoned).await
}

/// Removes what is left of starts that failed.
pub(super) async fn remove_unstarted(docker: Docker, fleet: String) -> Result<(), String> {
    remove(docker, &format!("{FLEET}={fleet}"), &["created"], |_| true).await
}

async fn remove(
    docker: Docker,
    label: &str,
    states: &[&str],
    which: impl Fn(&HashMap<String, String>) -> bool,
) -> Result<(), String> {
    let filters = HashMap::from([("label", vec![label]), ("status", states.to_vec())]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let found = docker.list_containers(Some(options)).await.map_err(|error| chain(&error))?;
    for container in found {
        let (Some(id), true) = (container.id, which(&container.labels.unwrap_or_default())) else { continue };
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match docker.remove_container(&id, Some(options)).await {
            // Another fleet has just done it, or is about to.
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => {}
            Err(error) => return Err(format!("cannot remove container {id}: {}", chain(&error))),
        }
    }
    Ok(())
}

fn owner(pid: u32) -> String {
    // Engines may be shared; what another machine, or a container, calls a process is not ours to judge.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{pid}", host.trim())
}

fn is_gone(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// An error with its causes, which these errors do not name themselves.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Container").field(&self.id()).finish()
    }
}
