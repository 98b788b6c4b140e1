//! `redlock init` as people run it: the real binary on real servers.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::binary::{Ran, finish};
use redlock::testing::servers::RedisFleet;
use redlock::{Locks, LocksBuilder};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

fn start(count: usize) -> RedisFleet {
    RedisFleet::start(count).unwrap()
}

/// A client with the defaults, on a machine that may be busy.
fn client(fleet: &RedisFleet) -> LocksBuilder {
    Locks::builder().nodes(fleet.urls()).node_timeout(Duration::from_secs(5))
}

/// Whether a client with the defaults gets a lock at once.
fn is_usable(fleet: &RedisFleet) -> bool {
    let locks = client(fleet).build_blocking().unwrap();
    locks.lock("a").try_acquire().is_ok_and(|guard| guard.is_some())
}

/// Whether nothing at all was written.
fn is_untouched(fleet: &RedisFleet) -> bool {
    fleet.all_keys().unwrap().iter().all(Vec::is_empty)
}

fn redlock() -> Command {
    let mut command = crate::binary::redlock();
    command.arg("init");
    command
}

/// The nodes come by the environment, as those with a password should.
fn on(fleet: &RedisFleet) -> Command {
    let mut command = redlock();
    command.env("REDLOCK_NODES", fleet.urls().join(","));
    command
}

/// Runs it on a terminal on which somebody types this.
fn answer(fleet: &RedisFleet, typed: &str) -> Ran {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let mut keyboard = File::from(master);
    keyboard.write_all(typed.as_bytes()).unwrap();
    finish(on(fleet).stdin(terminal))
}

/// The line about each server below a heading.
fn lines_of<'a>(text: &'a str, heading: &str, fleet: &RedisFleet) -> Vec<&'a str> {
    let (_, below) = text.split_once(heading).unwrap_or_else(|| panic!("{heading:?} is not in {text}"));
    fleet
        .iter()
        .map(|server| {
            let mut lines = below.lines().skip(1);
            lines.find(|line| line.trim_start().starts_with(&format!("{} ", server.address()))).unwrap()
        })
        .collect()
}

const PLAN: &str = "To be admitted at once";

#[test]
fn new_nodes_are_listed_admitted_at_once_and_usable_by_clients() {
    let fleet = start(3);
    let ran = finish(on(&fleet).arg("--yes"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(lines_of(&ran.stdout, PLAN, &fleet).iter().all(|line| line.ends_with("  new")), "{}", ran.stdout);
    let admitted = lines_of(&ran.stdout, "Admitted:", &fleet);
    assert!(admitted.iter().all(|line| line.contains("  admitted in fleet ")), "{}", ran.stdout);
    assert!(admitted.iter().all(|line| line.ends_with("(3 nodes, maxExpiration 30s)")), "{}", ran.stdout);
    assert!(is_usable(&fleet));
    // Said again it shows how they stand.
    let again = finish(on(&fleet).arg("--yes"));
    assert!(lines_of(&again.stdout, PLAN, &fleet).iter().all(|line| line.contains("admitted in fleet ")));
}

#[test]
fn without_it_nodes_are_in_quarantine_and_it_says_for_how_long() {
    let fleet = start(3);
    drop(client(&fleet).build_blocking().unwrap());
    assert!(!is_usable(&fleet));
    let ran = finish(on(&fleet).arg("--yes"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for line in lines_of(&ran.stdout, PLAN, &fleet) {
        let (_, rest) = line.split_once("quarantined for another ").unwrap_or_else(|| panic!("{line}"));
        let seconds: u64 = rest.split_once(" s in fleet ").unwrap().0.parse().unwrap();
        assert!((1..=31).contains(&seconds), "{line}");
    }
    assert!(is_usable(&fleet));
}

#[test]
fn a_server_that_has_lost_its_memory_is_shown_as_new() {
    let fleet = start(3);
    assert_eq!(finish(on(&fleet).arg("--yes")).code, Some(0));
    fleet.server(1).restart().unwrap();
    let ran = finish(on(&fleet).arg("--yes"));
    let lines = lines_of(&ran.stdout, PLAN, &fleet);
    assert!(lines[0].contains("admitted in fleet") && lines[1].ends_with("  new"), "{}", ran.stdout);
}

#[test]
fn on_a_terminal_it_asks_and_takes_nothing_but_yes_for_a_yes() {
    let fleet = start(3);
    for no in ["\n", "n\n", "no\n", "yellow\n", "\u{4}"] {
        let ran = answer(&fleet, no);
        assert_eq!(ran.code, Some(1), "{no:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("No client holds a lock on these nodes? [y/N]"), "{}", ran.stderr);
        assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
        assert!(is_untouched(&fleet), "{no:?}");
    }
    let ran = answer(&fleet, "y\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(is_usable(&fleet));
}

#[test]
fn without_a_terminal_it_refuses_unless_told_yes() {
    let fleet = start(1);
    for stdin in [Stdio::null(), Stdio::piped()] {
        let mut child = on(&fleet).stdin(stdin).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        // What comes by a pipe is no answer of a person.
        if let Some(mut pipe) = child.stdin.take() {
            let _ = pipe.write_all(b"y\n");
        }
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(64), "{said}");
        assert!(said.contains("--yes"), "{said}");
        assert!(is_untouched(&fleet));
    }
}

#[test]
fn every_node_must_be_there_and_none_is_changed_otherwise() {
    let fleet = start(3);
    fleet.server(2).kill();
    let ran = finish(on(&fleet).arg("--yes"));
    assert_eq!(ran.code, Some(69), "{}", ran.stderr);
    assert!(lines_of(&ran.stdout, PLAN, &fleet)[2].ends_with("not reached"), "{}", ran.stdout);
    assert!(ran.stderr.contains(&fleet.server(2).address()), "{}", ran.stderr);
    assert!(fleet.iter().take(2).all(|server| server.keys().unwrap().is_empty()));
}

#[test]
fn a_file_and_its_max_expiration_are_used_and_another_one_can_be_given() {
    let fleet = start(3);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("etc.toml");
    let text =
        format!("[lock.redlock]\nnodes = {:?}\nexpiration = '2s'\nmaxExpiration = '5s'\n", fleet.urls());
    fs::write(&file, text).unwrap();
    for (more, expected) in [(&[][..], "maxExpiration 5s)"), (&["--max-ttl", "1m30s"], "maxExpiration 90s)")]
    {
        let ran = finish(redlock().arg("--yes").arg("--config").arg(&file).args(more));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(lines_of(&ran.stdout, "Admitted:", &fleet)[0].ends_with(expected), "{}", ran.stdout);
        // The file can come by the environment as well.
        let ran = finish(redlock().arg("--yes").env("REDLOCK_CONFIG", &file).args(more));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    // Shorter than the TTL that clients have without a file.
    let nodes = fleet.admin_urls().join(",");
    let ran = finish(redlock().args(["--yes", "--max-ttl", "3", "--nodes", &nodes]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("maxExpiration 3s)"), "{}", ran.stdout);
    let ran = finish(on(&fleet).args(["--yes", "--max-ttl", "1s"]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("maxExpiration 1s)"), "{}", ran.stdout);
}

#[test]
fn a_wrong_configuration_ends_with_78() {
    let fleet = start(1);
    let [url, address] = [fleet.server(0).url(), fleet.server(0).address()];
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("etc.toml");
    fs::write(&file, format!("[lock.redis]\naddrs = ['{address}']\n")).unwrap();
    let file = file.to_str().unwrap();
    for (arguments, said) in [
        (&["--yes"][..], "REDLOCK_NODES"),
        (&["--yes", "--nodes", "http://a"], "--nodes: node 1"),
        (&["--yes", "--nodes", &format!("{url},{url}")], "nodes 1 and 2 are both"),
        (&["--yes", "--nodes", &format!("redis://locker:wr0ng@{address}")], "WRONGPASS"),
        (&["--yes", "--config", "/no/such/file"], "/no/such/file"),
        (&["--yes", "--config", file], "restartGuard = false"),
        (&["--yes", "--nodes", &url, "--max-ttl", "0"], "0ns"),
    ] {
        let ran = finish(redlock().args(arguments));
        assert_eq!(ran.code, Some(78), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("wr0ng") && !ran.stderr.contains(&url), "{}", ran.stderr);
    }
    assert!(is_untouched(&fleet));
}

#[test]
fn a_command_line_that_cannot_be_understood_ends_with_64() {
    for wrong in [
        &["--max-ttl", "soon"][..],
        &["--nodes", "redis://h", "--config", "f"],
        &["--no-such"],
        &["redis://h"],
    ] {
        let ran = finish(redlock().args(wrong));
        assert_eq!(ran.code, Some(64), "{wrong:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{wrong:?}");
    }
    let help = finish(redlock().arg("--help"));
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("no client holds a lock") && help.stdout.contains("69 not every node"));
}

#[test]
fn no_password_is_printed() {
    let fleet = start(3);
    fleet.server(0).kill();
    let unreached = finish(on(&fleet).arg("--yes"));
    fleet.server(0).restart().unwrap();
    let ran = [unreached, finish(on(&fleet).arg("--yes")), finish(&mut on(&fleet))];
    for url in fleet.urls() {
        let (_, password) = url.split_once("locker:").unwrap();
        let (password, _) = password.split_once('@').unwrap();
        assert!(ran.iter().all(|ran| !ran.stdout.contains(password) && !ran.stderr.contains(password)));
    }
}
