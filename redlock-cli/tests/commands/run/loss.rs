//! The lock is lost while the command runs.

use std::fs;
use std::process::{Command, Stdio};

use redlock::Locks;
use redlock::testing::servers::RedisFleet;

use super::stage::{Running, Stage, finish, is_alive, redlock, start};

fn fleet() -> RedisFleet {
    let fleet = RedisFleet::start(3).unwrap();
    drop(Locks::builder().nodes(fleet.urls()).init_blocking().unwrap());
    fleet
}

fn run<const N: usize>(fleet: &RedisFleet, arguments: [&str; N]) -> Command {
    let mut command = redlock();
    command.arg("run").args(arguments).env("REDLOCK_NODES", fleet.urls().join(","));
    command
}

/// Writes somebody else's name where the lock's owner stands.
fn supersede(fleet: &RedisFleet, name: &str) {
    for server in fleet {
        server.command(&["SET", &format!("redlock:{name}"), "somebody else", "PX", "60000"]).unwrap();
    }
}

/// Seconds that this machine has been up, asleep or not.
fn uptime() -> f64 {
    let text = fs::read_to_string("/proc/uptime").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn when_the_nodes_go_the_command_is_told_to_end_and_the_exit_code_is_75_whatever_its_own_is() {
    let fleet = fleet();
    let script = "trap 'echo told; exit 0' TERM; echo ready; while :; do sleep 0.2; done";
    let mut command = start(&mut run(&fleet, ["--ttl", "5", "a", "bash", "-c", script]));
    assert_eq!(command.line(), "ready");
    fleet.iter().for_each(redlock::testing::servers::RedisServer::kill);
    assert_eq!(command.line(), "told");
    let ran = command.end();
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    assert!(ran.stderr.contains("could not be renewed"), "{}", ran.stderr);
}

/// A command that is deaf to SIGTERM, with a daemon that is; both write the time again and again.
fn deaf(stage: &Stage, fleet: &RedisFleet) -> (Running, [i32; 2]) {
    let clock = "trap \"\" TERM; echo $$; while :; do cut -d\" \" -f1 /proc/uptime >> $FILE; done";
    let script = format!("FILE=a setsid bash -c '{clock}' & exec env FILE=b bash -c '{clock}'");
    let mut command = start(
        run(fleet, ["--ttl", "8", "--grace", "1", "a", "bash", "-c", &script]).current_dir(stage.path("")),
    );
    let pids = [command.number(), command.number()];
    (command, pids)
}

#[test]
fn a_command_that_does_not_end_when_it_is_told_is_dead_before_the_lock_could_be_somebody_else_s() {
    let (fleet, stage) = (fleet(), Stage::new());
    let (command, pids) = deaf(&stage, &fleet);
    fleet.iter().for_each(redlock::testing::servers::RedisServer::kill);
    let killed = uptime();
    let ran = command.end();
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    assert!(pids.into_iter().all(|pid| !is_alive(pid)));
    for file in ["a", "b"] {
        let times = fs::read_to_string(stage.path(file)).unwrap();
        // The very last line may be half of one.
        let last: f64 = times.rsplit('\n').nth(1).unwrap().parse().unwrap();
        // No renewal was sent after the servers had gone.
        assert!(last < killed + 8.0, "it ran at {last}, the servers were killed at {killed}");
    }
}

#[test]
fn when_somebody_else_has_it_the_command_is_killed() {
    let fleet = fleet();
    let script = "trap '' TERM; echo $$; while :; do sleep 1000; done";
    let mut command = start(&mut run(&fleet, ["--ttl", "5", "a", "bash", "-c", script]));
    let pid = command.number();
    supersede(&fleet, "a");
    let ran = command.end();
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    assert!(!is_alive(pid));
    assert!(ran.stderr.contains("somebody else holds it"), "{}", ran.stderr);
}

#[test]
fn a_command_that_ends_well_under_a_lock_that_is_held_no_more_is_75() {
    let fleet = fleet();
    let mut holder = start(
        run(&fleet, ["--ttl", "30", "a", "sh", "-c", "echo ready; read go; exit 0"]).stdin(Stdio::piped()),
    );
    assert_eq!(holder.line(), "ready");
    // The next renewal is far, so that it is the release that finds it.
    supersede(&fleet, "a");
    holder.close_stdin();
    let ran = holder.end();
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    assert!(ran.stderr.contains("a was not held any more"), "{}", ran.stderr);
}

#[test]
fn a_minority_of_nodes_that_goes_is_not_felt() {
    let fleet = fleet();
    let mut holder =
        start(run(&fleet, ["--ttl", "5", "a", "sh", "-c", "echo ready; read go"]).stdin(Stdio::piped()));
    assert_eq!(holder.line(), "ready");
    fleet.server(1).kill();
    // Somebody else waits for longer than the lock lasts without renewal.
    let waited = finish(&mut run(&fleet, ["-w", "7", "a", "true"]));
    assert_eq!(waited.code, Some(1), "{}", waited.stderr);
    holder.close_stdin();
    assert_eq!(holder.code(), Some(1), "read has found the end");
}
