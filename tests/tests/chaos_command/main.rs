//! The `chaos` command as people run it: the real binary, its exit codes, its report, and what it leaves behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock_tests::support::eventually;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

fn chaos(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.args(arguments).current_dir(folder);
    command
}

fn run(arguments: &[&str], folder: &Path) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = chaos(arguments, folder).output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    println!("{stdout}\n{stderr}");
    (status.code(), stdout, stderr)
}

const BRIEF: [&str; 8] = ["--clients", "2", "--nodes", "3", "--for", "4s", "--ttl", "1s"];

#[test]
fn a_good_run_says_so_and_writes_its_report_and_its_history() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        [&BRIEF[..], &["--seed", "7", "--history", "h.jsonl", "--faults", "kill,partition"]].concat();
    let (code, stdout, _) = run(&arguments, folder.path());
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("GOOD"), "{stdout}");
    let report = fs::read_to_string(folder.path().join("chaos-7.html")).unwrap();
    assert!(report.contains("No rule was broken") && report.contains("<h2>Leaders</h2>"));
    assert!(stdout.contains(" terms of 2 clients, "), "{stdout}");
    assert!(fs::read_to_string(folder.path().join("h.jsonl")).unwrap().lines().count() > 10);
}

#[track_caller]
fn a_run_is_good_on(fleet: &str, server: &str) {
    let folder = tempfile::tempdir().unwrap();
    let brief = ["--clients", "3", "--for", "5s", "--ttl", "1s", "--seed", "5"];
    let (code, stdout, _) = run(&[&["--fleet", fleet], &brief[..]].concat(), folder.path());
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("GOOD") && stdout.contains(&format!("({fleet}, {server}")), "{stdout}");
    assert!(!stdout.contains(" 0 acquired"), "{stdout}");
    let report = fs::read_to_string(folder.path().join("chaos-5.html")).unwrap();
    assert!(report.contains("No rule was broken") && report.contains(server));
}

#[test]
fn locks_on_memcached_withstand_all_that_can_be_done_to_it() {
    a_run_is_good_on("memcached", "memcached 1.");
}

#[test]
fn locks_on_etcd_withstand_all_that_can_be_done_to_it() {
    a_run_is_good_on("etcd", "etcd 3.");
}

#[test]
fn locks_on_zookeeper_withstand_all_that_can_be_done_to_it() {
    a_run_is_good_on("zookeeper", "zookeeper 3.");
}

#[test]
fn locks_in_files_withstand_all_that_can_be_done_to_their_clients() {
    a_run_is_good_on("file", "files of this machine");
}

/// Runs whose faults find what is switched off: which of them does is chance, that one does is not. Returns its report.
#[track_caller]
fn is_violated(arguments: &[&str], expected: &[&str]) -> String {
    for seed in ["3", "4", "5", "6", "7", "8", "9", "10"] {
        let folder = tempfile::tempdir().unwrap();
        let common = ["--names", "1", "--report", "r.html", "--seed", seed];
        let (code, stdout, _) = run(&[arguments, &common].concat(), folder.path());
        if code == Some(0) {
            continue;
        }
        assert_eq!(code, Some(1));
        // The rule that is broken is never another one; how it shows is chance, too.
        assert!(stdout.starts_with("VIOLATED") && stdout.contains(expected[0]), "{stdout}");
        if expected.iter().all(|part| stdout.contains(part)) {
            return fs::read_to_string(folder.path().join("r.html")).unwrap();
        }
        println!("not as expected: {stdout}");
    }
    panic!("no run was violated as expected");
}

#[test]
fn a_run_on_memcached_without_a_safeguard_is_violated() {
    let brief = ["--fleet", "memcached", "--nodes", "1", "--clients", "5", "--for", "8s", "--ttl", "2s"];
    let without = ["--without", "release_owner_check", "--faults", "client-pause,delay"];
    is_violated(&[&brief[..], &without].concat(), &["two holders of chaos-"]);
}

#[test]
fn a_run_without_a_safeguard_is_violated_and_shows_where() {
    let brief = ["--clients", "5", "--nodes", "3", "--for", "12s", "--ttl", "1s"];
    let without = ["--without", "release_owner_check", "--faults", "client-pause,delay"];
    let report = is_violated(&[&brief[..], &without].concat(), &["two holders of chaos-"]);
    assert!(report.contains("two holders of chaos-"));
}

/// Elections whose leaders work on when they must not.
#[track_caller]
fn leaders_are_caught(arguments: &[&str], what: &str) {
    let brief = ["--for", "15s", "--ttl", "1s"];
    let report = is_violated(&[&brief, arguments].concat(), &["WorkInTerm: ", what]);
    assert!(report.contains(what) && report.contains("<h2>Leaders</h2>"));
}

#[test]
fn leaders_that_resign_before_their_work_has_returned_are_caught() {
    leaders_are_caught(
        &["--clients", "3", "--nodes", "3", "--without", "await_work", "--faults", "delay"],
        "beside the next leader",
    );
}

#[test]
fn leaders_whose_work_is_not_stopped_in_time_are_caught() {
    leaders_are_caught(
        // With two of them every other partition meets the leader.
        &["--clients", "2", "--nodes", "1", "--without", "stop_in_time", "--faults", "partition"],
        " worked for ",
    );
}

#[test]
fn servers_of_somebody_else_are_used_and_left_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let rights = "~redlock-chaos:* ~#redlock:* +@all";
    let fleet = RedisFleet::start_with(3, &RedisServer::options().rights(rights)).unwrap();
    for server in &fleet {
        server.command(&["SET", "somebody's", "1"]).unwrap();
    }
    let urls = fleet.urls().join(",");
    let (code, stdout, stderr) =
        run(&["--fleet", &urls, "--clients", "2", "--for", "4s", "--ttl", "1s"], folder.path());
    assert_eq!(code, Some(0));
    assert!(stdout.contains("acquired"), "{stdout}");
    for server in &fleet {
        let keys = server.keys().unwrap();
        assert!(keys.iter().all(|key| key == "somebody's" || key.starts_with("#redlock:")), "{keys:?}");
    }
    let report = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let password = urls.split("locker:").nth(1).unwrap().split('@').next().unwrap();
    for text in [stdout, stderr, fs::read_to_string(report).unwrap()] {
        assert!(!text.contains(password), "a password is in it");
    }
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["--faults", "earthquake"][..], "expected one of kill"),
        (
            &["--fleet", "elsewhere"],
            "expected one of process, docker, memcached, etcd, zookeeper, file, or URLs",
        ),
        (&["--fleet", "file", "--nodes", "2"], "expected --nodes 1"),
        (&["--fleet", "file", "--faults", "kill"], "it can have: client-kill, client-pause"),
        (&["--fleet", "redis://127.0.0.1:1", "--for", "1s"], "127.0.0.1:1"),
        (&["scenarios", "nowhere"], "there is no scenario `nowhere`"),
        (&["model", "boundless"], "there is no bound `boundless`"),
        (&["--without", "nothing"], "validity_check"),
    ] {
        let (code, _, stderr) = run(arguments, folder.path());
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn clients_that_cannot_work_end_the_run_with_what_they_said() {
    let folder = tempfile::tempdir().unwrap();
    // Who else locks there has agreed on another longest TTL.
    let fleet = RedisFleet::start(3).unwrap();
    let urls = fleet.admin_urls();
    let others = redlock::Locks::builder().nodes(urls.clone()).max_ttl(std::time::Duration::from_secs(30));
    let others = futures::executor::block_on(others.init()).unwrap();
    let arguments = ["--clients", "1", "--for", "300s", "--ttl", "1s", "--fleet", &urls.join(",")];
    let (code, _, stderr) = run(&arguments, folder.path());
    drop(others);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("maxExpiration") && stderr.contains("ended by itself"), "{stderr}");
}

#[test]
fn a_run_that_is_interrupted_heals_everything_and_writes_its_report() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--clients", "2", "--nodes", "3", "--for", "300s", "--ttl", "1s", "--report", "r.html"];
    let mut child =
        chaos(&arguments, folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("kill") || line.contains("pause")), "something goes wrong");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    lines.for_each(drop);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(folder.path().join("r.html").exists());
}

#[test]
fn a_run_that_is_killed_leaves_no_client_behind() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["--clients", "2", "--nodes", "1", "--for", "300s", "--faults", "client-pause", "--ttl", "1s"];
    let mut child = chaos(&arguments, folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("client-pause")), "a client is stopped");
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let children: Vec<Pid> =
        children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().unwrap())).collect();
    assert!(children.len() >= 3, "{children:?}");
    let workers: Vec<Pid> = children.into_iter().filter(|&pid| is_worker(pid)).collect();
    assert_eq!(workers.len(), 2);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    eventually("no client is left, the one that was stopped neither", || {
        workers.iter().all(|&pid| test_kill_process(pid).is_err() || !is_worker(pid))
    });
}

fn is_worker(pid: Pid) -> bool {
    let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
    fs::read(path).is_ok_and(|line| line.split(|&byte| byte == 0).any(|word| word == b"worker"))
}
