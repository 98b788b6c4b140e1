//! `redlock doctor` as people run it: the real binary on real servers, set up wrongly one thing at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::binary::{Ran, finish};
use crate::terminal::Terminal;
use redlock::Locks;
use redlock::testing::servers::{RedisFleet, RedisServer};
use serde_json::Value;
use tempfile::TempDir;

/// Servers on which there is nothing to find, but that they are all on this machine.
fn good(count: usize) -> RedisFleet {
    RedisFleet::start_with(count, &RedisServer::options().persistent()).unwrap()
}

/// A configuration for machines that are busy: nobody is too slow, no clock is off.
fn configuration(urls: &[String], more: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "[lock.redlock]\nnodes = {urls:?}\nexpiration = '60s'\nnodeTimeout = '20s'\ndriftFactor = 0.1\n{more}"
    );
    fs::write(file(&directory), text).unwrap();
    directory
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("etc.toml")
}

fn redlock() -> Command {
    let mut command = crate::binary::redlock();
    command.arg("doctor");
    command
}

/// What it finds on these nodes.
fn examine(urls: &[String], arguments: &[&str]) -> Ran {
    examine_with(urls, "", arguments)
}

fn examine_with(urls: &[String], more: &str, arguments: &[&str]) -> Ran {
    let directory = configuration(urls, more);
    finish(redlock().arg("--config").arg(file(&directory)).args(arguments))
}

/// The same as JSON: the exit code, and the findings that are worse than a note.
fn findings(urls: &[String], more: &str) -> (Option<i32>, Value, Vec<(String, String, String)>) {
    let ran = examine_with(urls, more, &["--json"]);
    let result: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", ran.stdout, ran.stderr));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let bad = result["findings"].as_array().unwrap().iter();
    let bad = bad.filter(|found| !["good", "note"].contains(&found["severity"].as_str().unwrap()));
    let bad =
        bad.map(|found| (text(&found["severity"]), text(&found["node"]), text(&found["found"]))).collect();
    (ran.code, result, bad)
}

/// Makes these servers a fleet whose nodes may all grant.
fn admit(urls: &[String]) {
    drop(
        Locks::builder()
            .nodes(urls)
            .ttl(Duration::from_secs(60))
            .max_ttl(Duration::from_secs(60))
            .init_blocking()
            .unwrap(),
    );
}

fn is_untouched(fleet: &RedisFleet) -> bool {
    fleet.all_keys().unwrap().iter().all(Vec::is_empty)
}

#[test]
fn new_servers_that_are_set_up_well_are_good_and_nothing_is_written_on_them() {
    let fleet = good(3);
    let ran = examine(&fleet.admin_urls(), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "preflight of 3 nodes, 2 must grant: all good", "{}", ran.stdout);
    assert!(ran.stdout.contains("redlock init"), "a new fleet is told how to begin: {}", ran.stdout);
    assert_eq!(lines.last(), Some(&"All is as it should be."), "{}", ran.stdout);
    assert!(is_untouched(&fleet));
}

#[test]
fn a_fleet_in_use_is_good_too_and_its_locks_stay_held() {
    let fleet = good(3);
    admit(&fleet.admin_urls());
    let locks =
        Locks::builder().nodes(fleet.admin_urls()).ttl(Duration::from_secs(60)).build_blocking().unwrap();
    let guard = locks.lock("a").acquire().unwrap();
    let (code, result, bad) = findings(&fleet.admin_urls(), "");
    assert_eq!((code, bad), (Some(0), Vec::new()), "{result}");
    assert_eq!((&result["ok"], &result["nodes"], &result["quorum"]), (&true.into(), &3.into(), &2.into()));
    let admitted = result["findings"].as_array().unwrap().iter();
    let admitted =
        admitted.filter(|found| found["found"].as_str().unwrap().starts_with("admitted in fleet "));
    assert_eq!(admitted.count(), 3, "{result}");
    assert!(guard.is_valid());
    guard.release().unwrap();
}

#[test]
fn a_server_that_evicts_is_an_error_with_advice() {
    let fleet = good(3);
    fleet.server(1).command(&["CONFIG", "SET", "maxmemory", "100mb"]).unwrap();
    fleet.server(1).command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).unwrap();
    let ran = examine(&fleet.admin_urls(), &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].ends_with("must grant: 1 error"), "{}", ran.stdout);
    assert_eq!(lines[2], format!("error    {}", fleet.server(1).address()), "{}", ran.stdout);
    assert!(lines[3].contains("maxmemory-policy allkeys-lru"), "{}", ran.stdout);
    assert_eq!(lines[4].trim(), "-> set maxmemory-policy to noeviction there");
    assert_eq!(lines.last(), Some(&"Not fit for locks: see the errors."));
    // It is an error in every mode.
    assert_eq!(examine(&fleet.admin_urls(), &["--fail-on", "error"]).code, Some(1));
}

#[test]
fn a_replica_among_masters_is_an_error_that_names_its_master() {
    let fleet = good(2);
    let port = fleet.server(0).port().to_string();
    let replica = RedisServer::options().args(["--replicaof", "127.0.0.1", &port]).start().unwrap();
    let urls: Vec<String> = fleet.admin_urls().into_iter().chain([replica.admin_url()]).collect();
    let (code, result, bad) = findings(&urls, "");
    assert_eq!(code, Some(1), "{result}");
    let of_replica = bad.iter().find(|(_, node, _)| *node == replica.address()).unwrap();
    assert_eq!(of_replica.0, "error", "{result}");
    assert!(of_replica.2.contains(&format!("replica of {}", fleet.server(0).address())), "{result}");
}

#[test]
fn one_server_that_is_down_is_a_warning_and_a_majority_of_them_is_69() {
    let fleet = good(3);
    fleet.server(2).kill();
    let ran = examine(&fleet.admin_urls(), &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("warning  {}", fleet.server(2).address())), "{}", ran.stdout);
    assert!(ran.stdout.contains("-> start it, or see why it cannot be reached"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("Locks work; see the warnings.\n"), "{}", ran.stdout);
    // Clients start with it.
    assert_eq!(examine(&fleet.admin_urls(), &["--fail-on", "error"]).code, Some(0));
    fleet.server(1).kill();
    for arguments in [&[][..], &["--fail-on", "error"]] {
        let ran = examine(&fleet.admin_urls(), arguments);
        assert_eq!(ran.code, Some(69), "{}", ran.stdout);
        assert!(
            ran.stdout.ends_with("No lock can be acquired: no quorum of nodes answers.\n"),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn what_may_not_be_read_is_unknown_and_a_failure_only_where_that_is_asked_for() {
    // The rights that the documentation advises: neither CONFIG nor ACL.
    let fleet = good(3);
    let (code, result, bad) = findings(&fleet.urls(), "");
    assert_eq!(code, Some(0), "{result}");
    assert!(!bad.is_empty() && bad.iter().all(|(severity, ..)| severity == "unknown"), "{result}");
    assert!(
        bad.iter().any(|(.., found)| found.contains("appendfsync") && found.contains("config|get")),
        "{result}"
    );
    assert_eq!(result["worst"], "unknown");
    let ran = examine(&fleet.urls(), &["--fail-on", "unknown"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(
        ran.stdout.ends_with("Nothing wrong was found; not everything could be read.\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_server_that_forgot_is_a_warning_until_it_is_admitted_again() {
    let fleet = good(3);
    admit(&fleet.admin_urls());
    fleet.server(1).command(&["FLUSHALL"]).unwrap();
    // It is without a marker now, and in quarantine as soon as a client has seen it.
    let (code, result, bad) = findings(&fleet.admin_urls(), "");
    assert_eq!(code, Some(1), "{result}");
    let [(severity, node, found)] = bad.as_slice() else { panic!("{result}") };
    assert_eq!((severity.as_str(), node.as_str()), ("warning", &*fleet.server(1).address()), "{result}");
    assert!(found == "new" || found.contains("lost its memory"), "{result}");
    let client =
        Locks::builder().nodes(fleet.admin_urls()).ttl(Duration::from_secs(60)).build_blocking().unwrap();
    let (code, result, bad) = findings(&fleet.admin_urls(), "");
    assert_eq!(code, Some(1), "{result}");
    assert!(bad[0].2.starts_with("quarantined for another "), "{result}");
    drop(client);
    admit(&fleet.admin_urls());
    assert_eq!(findings(&fleet.admin_urls(), "").0, Some(0));
}

#[test]
fn nodes_whose_clients_have_another_longest_ttl_are_errors() {
    let fleet = good(3);
    admit(&fleet.admin_urls());
    let (code, result, bad) = findings(&fleet.admin_urls(), "maxExpiration = '90s'\n");
    assert_eq!(code, Some(1), "{result}");
    assert_eq!(bad.len(), 3, "{result}");
    for (severity, _, found) in bad {
        assert!(severity == "error" && found.contains("60s") && found.contains("90s"), "{result}");
    }
}

#[test]
fn two_addresses_of_one_server_are_an_error() {
    let fleet = good(2);
    let twice = fleet.server(0).admin_url().replace("127.0.0.1", "localhost");
    let urls: Vec<String> = fleet.admin_urls().into_iter().chain([twice]).collect();
    let (code, result, bad) = findings(&urls, "");
    assert_eq!(code, Some(1), "{result}");
    assert!(bad.iter().any(|(severity, node, _)| severity == "error" && node.is_empty()), "{result}");
}

#[test]
fn a_wrong_configuration_ends_with_78_and_a_wrong_command_line_with_64() {
    let fleet = good(1);
    let [url, address] = [fleet.server(0).admin_url(), fleet.server(0).address()];
    for (arguments, said) in [
        (&[][..], "REDLOCK_NODES"),
        (&["--nodes", "http://h"], "a Redis URL must begin with"),
        (&["--nodes", &format!("{url},{url}")], "one vote"),
        (&["--config", "/no/such/file"], "/no/such/file"),
    ] {
        let ran = finish(redlock().args(arguments));
        assert_eq!(ran.code, Some(78), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
    // Nodes that answer but can never be used: waiting does not help.
    let ran = finish(redlock().args(["--nodes", &format!("redis://locker:wr0ng@{address}")]));
    assert_eq!(ran.code, Some(78), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("WRONGPASS") && !ran.stdout.contains("wr0ng"), "{}", ran.stdout);
    for wrong in [&["--fail-on", "good"][..], &["redis://h"], &["--nodes", "redis://h", "--config", "f"]] {
        assert_eq!(finish(redlock().args(wrong)).code, Some(64), "{wrong:?}");
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let fleet = good(1);
    let directory = configuration(&fleet.admin_urls(), "");
    let coloured =
        |terminal: &str, no_color: Option<&str>| on_terminal(&file(&directory), terminal, no_color);
    assert!(coloured("xterm", None).contains("\u{1b}[33mwarning\u{1b}[0m"));
    assert!(!coloured("dumb", None).contains('\u{1b}'));
    assert!(!coloured("xterm", Some("1")).contains('\u{1b}'));
    let piped = finish(redlock().env("TERM", "xterm").arg("--config").arg(file(&directory)));
    assert!(piped.stdout.contains("warning") && !piped.stdout.contains('\u{1b}'), "{}", piped.stdout);
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let fleet = good(1);
    let directory = configuration(&fleet.admin_urls(), "");
    let mut child = redlock().arg("--config").arg(file(&directory)).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    // One server: a warning.
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn no_password_is_printed() {
    let fleet = good(3);
    fleet.server(0).kill();
    let urls = fleet.urls();
    let runs = [examine(&urls, &[]), examine(&urls, &["--json"])];
    for url in &urls {
        let (_, password) = url.split_once("locker:").unwrap();
        let (password, _) = password.split_once('@').unwrap();
        assert!(runs.iter().all(|ran| !ran.stdout.contains(password) && !ran.stderr.contains(password)));
    }
}

/// What it prints on a terminal.
fn on_terminal(config: &Path, terminal: &str, no_color: Option<&str>) -> String {
    let screen = Terminal::new(80, 24);
    let mut command = redlock();
    command.arg("--config").arg(config).stdout(screen.end()).env("TERM", terminal).env_remove("NO_COLOR");
    command.envs(no_color.map(|value| ("NO_COLOR", value)));
    assert!(command.status().unwrap().code().is_some());
    // It holds the other side of the terminal.
    drop(command);
    screen.finish().written
}
