//! The Redis of the manifests, run as they say, and looked at by the command with the clients' own rights.

use std::fs;
use std::process::{Command, Stdio};

use redlock::testing::servers::RedisServer;

use crate::manifests::{object, text};

#[test]
fn a_server_with_this_configuration_and_these_rights_has_nothing_that_the_doctor_finds() {
    let directory = tempfile::tempdir().unwrap();
    let rights = object("Secret", "redlock-redis-users");
    let rights = text(&rights["stringData"]["users.acl"]);
    assert!(rights.contains("user default off"));
    let locker: Vec<&str> = rights
        .lines()
        .find_map(|line| line.strip_prefix("user locker "))
        .unwrap()
        .split_whitespace()
        .collect();
    let configuration = object("ConfigMap", "redlock-redis-config");
    let configuration = text(&configuration["data"]["redis.conf"]);
    let mut options = RedisServer::options();
    for line in configuration.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.split_once(' ').unwrap();
        options = match name {
            // Those are its own.
            "port" | "dir" | "protected-mode" | "aclfile" => options,
            _ => options.arg(format!("--{name}"), value.trim_matches('"')),
        };
    }
    let servers: Vec<RedisServer> = (0..3).map(|_| options.start().unwrap()).collect();
    for server in &servers {
        server.command(&[&["ACL", "SETUSER", "locker"], &locker[..]].concat()).unwrap();
    }
    let urls: Vec<String> =
        servers.iter().map(|server| format!("redis://locker:CHANGE-ME@{}", server.address())).collect();
    let file = directory.path().join("etc.toml");
    // Patience: this machine may be busy.
    let text = format!(
        "[lock.redlock]\nnodes = {urls:?}\nexpiration = '30s'\nnodeTimeout = '15s'\ndriftFactor = 0.2\n"
    );
    fs::write(&file, text).unwrap();
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_redlock"));
    let ran = doctor.args(["doctor", "--fail-on", "unknown", "--config"]).arg(&file).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stdout));
}

#[test]
fn the_clients_configuration_is_one_that_the_command_takes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("etc.toml");
    let secret = object("Secret", "redlock-client");
    // No name of a cluster is looked up here.
    let text = text(&secret["stringData"]["etc.toml"]).replace(".redlock-redis:6379", ".invalid:6379");
    fs::write(&file, text).unwrap();
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_redlock"));
    let ran = doctor.args(["doctor", "--config"]).arg(&file).stdin(Stdio::null()).output().unwrap();
    // Nobody answers, and that is all.
    assert_eq!(ran.status.code(), Some(69), "{}", String::from_utf8_lossy(&ran.stderr));
}
