//! `redlock elect` and `redlock observe`.

use std::fs;
use std::process::{Command, Stdio};

use redlock::Locks;
use redlock::testing::servers::RedisFleet;
use rustix::process::Signal;

use super::stage::{Stage, finish, is_alive, redlock, start, until};

/// A subcommand on the locks of a stage.
fn on<const N: usize>(stage: &Stage, subcommand: &str, arguments: [&str; N]) -> Command {
    let mut command = redlock();
    command.args([subcommand, "--nodes", &stage.nodes()]).args(arguments).current_dir(stage.path(""));
    command
}

const LEAD: &str = "echo $REDLOCK_NAME $REDLOCK_FENCING_TOKEN; read go; exit 3";

#[test]
fn one_leads_at_a_time_and_the_next_one_follows_when_the_command_has_ended() {
    let stage = Stage::new();
    let mut first = start(on(&stage, "elect", ["a", "sh", "-c", LEAD]).stdin(Stdio::piped()));
    let line = first.line();
    let epoch: u64 = line.strip_prefix("a ").unwrap().parse().unwrap();
    // It does not read: its end of the pipe is closed as soon as its end is waited for.
    let lead = "echo $REDLOCK_NAME $REDLOCK_FENCING_TOKEN; exec sleep 1000";
    let mut second = start(&mut on(&stage, "elect", ["a", "sh", "-c", lead]));
    assert!(!stage.is_free("a"), "the lock of that name is the leadership");
    let status = finish(&mut on(&stage, "status", ["a"])).stdout;
    assert!(status.contains(&format!(" epoch {epoch} rev 0 for sh: )")), "{status}");
    assert!(!status.contains("read go"), "{status}");
    first.close_stdin();
    assert_eq!(first.code(), Some(3), "without --restart it ends as the command does");
    let line = second.line();
    let next: u64 = line.strip_prefix("a ").unwrap().parse().unwrap();
    assert!(next > epoch);
    second.signal(Signal::TERM);
    assert_eq!(second.code(), Some(143));
    assert!(stage.is_free("a"), "it has resigned");
}

#[test]
fn with_restart_it_stands_again_until_it_is_told_to_end() {
    let stage = Stage::new();
    let script = "echo run; test -e again && exec sleep 1000; touch again";
    let mut elect = start(&mut on(&stage, "elect", ["--restart", "a", "sh", "-c", script]));
    assert_eq!(elect.line(), "run");
    assert_eq!(elect.line(), "run");
    until("the second command was started", || stage.path("again").exists());
    elect.signal(Signal::INT);
    assert_eq!(elect.code(), Some(130));
    assert!(stage.is_free("a"));
}

#[test]
fn a_candidate_that_waits_ends_by_a_signal() {
    let stage = Stage::new();
    let mut leader = start(on(&stage, "elect", ["a", "sh", "-c", LEAD]).stdin(Stdio::piped()));
    leader.line();
    let mut waiting = start(&mut on(&stage, "elect", ["--health-file", "health", "a", "echo", "no"]));
    until("it waits", || stage.path("health").exists());
    waiting.signal(Signal::TERM);
    assert_eq!(waiting.code(), Some(143));
}

#[test]
fn when_the_leadership_is_lost_the_command_ends_and_it_stands_again() {
    let fleet = RedisFleet::start(3).unwrap();
    drop(Locks::builder().nodes(fleet.urls()).init_blocking().unwrap());
    let mut command = redlock();
    command.args([
        "elect",
        "--ttl",
        "5",
        "a",
        "bash",
        "-c",
        "trap '' TERM; echo $$; while :; do sleep 1000; done",
    ]);
    let mut elect = start(command.env("REDLOCK_NODES", fleet.urls().join(",")));
    let first = elect.number();
    for server in &fleet {
        server.command(&["SET", "redlock:a", "somebody else", "PX", "3000"]).unwrap();
    }
    let second = elect.number();
    assert!(second != first && !is_alive(first) && is_alive(second));
}

#[test]
fn a_probe_finds_a_leader_and_a_candidate_well_and_one_that_hangs_not() {
    let stage = Stage::new();
    let probe = |file: &str| finish(redlock().args(["elect", "--probe", stage.path(file).to_str().unwrap()]));
    assert_eq!(probe("leader").code, Some(1), "nobody has written it");
    let mut leader =
        start(on(&stage, "elect", ["--health-file", "leader", "a", "sh", "-c", LEAD]).stdin(Stdio::piped()));
    leader.line();
    let _standby = start(&mut on(&stage, "elect", ["--health-file", "standby", "a", "true"]));
    until("the leader is well", || probe("leader").stdout == "leading\n");
    until("the other is well", || probe("standby").stdout == "standby\n");
    fs::write(stage.path("old"), "1 leading\n").unwrap();
    let old = probe("old");
    assert_eq!(old.code, Some(1));
    assert!(old.stderr.contains("has not written it"), "{}", old.stderr);
    let refused = finish(&mut on(&stage, "elect", ["--health-file", "no/such/place", "a", "true"]));
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
}

#[test]
fn every_change_of_the_leader_is_observed() {
    let stage = Stage::new();
    let mut observer = start(&mut on(&stage, "observe", ["a"]));
    let mut objects = start(&mut on(&stage, "observe", ["--json", "a"]));
    assert_eq!(observer.line(), "no leader");
    assert!(objects.line().contains("\"event\":\"no_leader\""));
    let mut leader =
        start(on(&stage, "elect", ["--value", "http://here", "a", "sh", "-c", LEAD]).stdin(Stdio::piped()));
    let epoch = leader.line().strip_prefix("a ").unwrap().to_owned();
    // It announces itself before it proclaims anything.
    let mut line = observer.line();
    if !line.ends_with("http://here") {
        assert!(line.contains(&epoch), "{line}");
        line = observer.line();
    }
    assert!(line.starts_with("leader: ") && line.ends_with(&format!("epoch {epoch}: http://here")), "{line}");
    let mut object: serde_json::Value = serde_json::from_str(&objects.line()).unwrap();
    if object["value"] == "" {
        object = serde_json::from_str(&objects.line()).unwrap();
    }
    assert_eq!((&object["event"], &object["value"]), (&"leader".into(), &"http://here".into()));
    assert_eq!(object["epoch"].to_string(), epoch);
    leader.close_stdin();
    assert_eq!(leader.code(), Some(3));
    assert_eq!(observer.line(), "no leader");
}

#[test]
fn without_a_configuration_or_with_a_wrong_command_line_both_refuse() {
    for (arguments, code) in [
        (&["elect", "a", "true"][..], 78),
        (&["observe", "a"], 78),
        (&["elect", "--local", "a"], 64),
        (&["elect", "--local", "", "true"], 64),
        (&["observe", "--local", ""], 64),
        (&["observe"], 64),
        (&["elect", "--probe", "f", "a", "true"], 64),
        (&["elect", "--local", "--grace", "60", "a", "true"], 64),
    ] {
        let ran = finish(redlock().args(arguments));
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.stderr);
    }
}
