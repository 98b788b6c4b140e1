//! `redlock status` as people and programs run it: the real binary on real servers.

use std::time::Duration;

use crate::binary::{Ran, finish, redlock};
use redlock::testing::servers::{MemcachedServer, RedisFleet};
use redlock::{Locks, LocksBuilder};
use serde_json::Value;

fn status(urls: &[String], arguments: &[&str]) -> Ran {
    finish(redlock().arg("status").args(arguments).env("REDLOCK_NODES", urls.join(",")))
}

fn json(urls: &[String], names: &[&str]) -> (Option<i32>, Value) {
    let ran = status(urls, &[&["--json"], names].concat());
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{} {}", ran.stdout, ran.stderr)))
}

/// A client with the defaults, on a machine that may be busy.
fn client(urls: &[String]) -> LocksBuilder {
    Locks::builder().nodes(urls).ttl(Duration::from_secs(30)).node_timeout(Duration::from_secs(5))
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
    }
}

#[test]
fn five_servers_of_which_one_is_killed_show_who_holds_a_lock() {
    let fleet = RedisFleet::start(5).unwrap();
    let urls = fleet.urls();
    fleet.server(4).kill();
    let before = status(&urls, &[]);
    assert_eq!(before.code, Some(0), "{}", before.stderr);
    assert!(before.stdout.contains("  new"), "{}", before.stdout);
    assert!(fleet.iter().take(4).all(|server| server.keys().unwrap().is_empty()), "a look changes nothing");
    fleet.server(4).restart().unwrap();
    let locks = client(&urls).init_blocking().unwrap();
    let guard = locks.lock("invoice:42").description("nightly\nrun").acquire().unwrap();
    eventually("all nodes have it", || fleet.iter().all(|server| !server.lock_keys().unwrap().is_empty()));
    fleet.server(4).kill();

    let ran = status(&urls, &["invoice:42", "nobody's"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let shown = |text: &str| assert!(ran.stdout.contains(text), "{text:?} is not in\n{}", ran.stdout);
    shown("Nodes: 4 of 5 reached, 3 needed\n");
    let pid = std::process::id();
    shown(&format!(" pid {pid} (nightly\\nrun)\n  for "));
    shown(" s left, on 4 of 5 nodes, fencing token up to ");
    shown("nobody's: free\n");
    shown("invoice:42: held by ");
    let dead = fleet.server(4).address();
    let of_dead: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(&dead)).collect();
    assert_eq!(of_dead.len(), 4, "{}", ran.stdout);
    assert!(of_dead[0].ends_with("not reached") && of_dead[1].contains("connection refused"), "{of_dead:?}");
    assert!(of_dead[2..].iter().all(|line| line.ends_with("no answer")), "{of_dead:?}");
    assert_eq!(ran.stdout.matches("  admitted  ").count(), 4, "{}", ran.stdout);
    // Columns begin where their titles do.
    for title in ["STATE", "VOTE"] {
        let mut lines = ran.stdout.lines().skip_while(|line| !line.contains(title));
        let at = lines.next().unwrap().find(title).unwrap();
        for line in lines.take(5) {
            assert!(line[at - 2..at] == *"  " && !line[at..].starts_with(' '), "{}", ran.stdout);
        }
    }
    for url in &urls {
        let password = url.split_once("locker:").unwrap().1.split_once('@').unwrap().0;
        assert!(!ran.stdout.contains(password) && !ran.stderr.contains(password));
    }

    let (code, view) = json(&urls, &["invoice:42", "nobody's"]);
    assert_eq!((code, &view["reached"], &view["quorum"]["needed"]), (Some(0), &4.into(), &3.into()));
    assert_eq!(
        (&view["nodes"][0]["state"], &view["nodes"][4]["state"]),
        (&"admitted".into(), &"unreached".into())
    );
    assert!(view["nodes"][4]["error"].is_string() && view["nodes"][0]["version"].is_string());
    assert!(view["nodes"][0]["clock_ahead_us"].is_i64(), "{view:#}");
    let lock = &view["locks"][0];
    assert_eq!(
        (&lock["name"], &lock["state"], &lock["votes"]),
        (&"invoice:42".into(), &"held".into(), &4.into())
    );
    assert_eq!((&lock["holder"]["pid"], &lock["holder"]["text"]), (&pid.into(), &"nightly\nrun".into()));
    assert!(lock["remaining_ms"].as_u64().unwrap() <= 30_000 && lock["held_for_ms"].is_u64(), "{lock:#}");
    let token = guard.fencing_token().unwrap().get();
    assert!(lock["token"].as_u64().unwrap() >= token && lock["nodes"][0]["is_holders"] == true);
    assert_eq!((&lock["nodes"][0]["vote"], &lock["nodes"][4]["vote"]), (&"held".into(), &"none".into()));
    assert_eq!(view["locks"][1]["state"], "free");
}

#[test]
fn every_node_is_shown_also_one_whose_answer_comes_late_or_not_at_all() {
    let fleet = RedisFleet::start(3).unwrap();
    let urls = fleet.urls();
    let locks = client(&urls).init_blocking().unwrap();
    let _guard = locks.lock("a").acquire().unwrap();
    eventually("all nodes have it", || fleet.iter().all(|server| !server.lock_keys().unwrap().is_empty()));
    let ran = status(&urls, &["a"]);
    assert!(ran.stdout.contains(" left, on 3 of 3 nodes"), "{}", ran.stdout);
    fleet.server(1).pause().unwrap();
    let ran = status(&urls, &["a"]);
    fleet.server(1).resume().unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let shown = |text: &str| assert!(ran.stdout.contains(text), "{text:?} is not in\n{}", ran.stdout);
    shown("Nodes: 2 of 3 reached, 2 needed\n");
    shown(" left, on 2 of 3 nodes");
    assert!(!ran.stdout.contains("not waited for"), "{}", ran.stdout);
}

#[test]
fn without_a_quorum_it_shows_what_is_known_and_ends_with_69() {
    let fleet = RedisFleet::start(3).unwrap();
    let urls = fleet.urls();
    let locks = client(&urls).init_blocking().unwrap();
    let _guard = locks.lock("a").acquire().unwrap();
    fleet.server(0).kill();
    fleet.server(1).kill();
    let ran = status(&urls, &["a"]);
    assert_eq!(ran.code, Some(69), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("a: not known, since 1 of 3 nodes answered and 2 are needed"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("no quorum: 1 of 3 nodes reached, 2 are needed"), "{}", ran.stderr);
    let (code, view) = json(&urls, &["a"]);
    assert_eq!((code, &view["locks"][0]["state"]), (Some(69), &"unknown".into()));
    assert_eq!(status(&urls, &[]).code, Some(69));
}

#[test]
fn a_quarantine_is_shown_with_what_is_left_of_it() {
    let fleet = RedisFleet::start(3).unwrap();
    let urls = fleet.urls();
    drop(client(&urls).build_blocking().unwrap());
    let ran = status(&urls, &["a"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("a: held by nobody, and too few nodes may grant it now"), "{}", ran.stdout);
    let (_, rest) = ran.stdout.split_once("quarantined for ").unwrap();
    let left: u64 = rest.split_once(" s").unwrap().0.parse().unwrap();
    assert!((1..=31).contains(&left), "{}", ran.stdout);
    let (_, view) = json(&urls, &[]);
    assert!(view["nodes"][0]["quarantined_for_ms"].as_u64().unwrap() <= 31_000, "{view:#}");
}

#[test]
fn a_foreign_client_and_a_split_name_are_shown_as_they_are() {
    let fleet = RedisFleet::start(3).unwrap();
    let urls = fleet.urls();
    drop(client(&urls).init_blocking().unwrap());
    for (index, owner) in ["one\u{1b}[2J", "two"].into_iter().enumerate() {
        fleet.server(index).command(&["SET", "redlock:split", owner, "PX", "600000"]).unwrap();
    }
    fleet
        .iter()
        .for_each(|server| drop(server.command(&["SET", "redlock:theirs", "x", "PX", "600000"]).unwrap()));
    let ran = status(&urls, &["split", "theirs"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let split = "split: held by nobody: 2 of 3 nodes have an owner, and no owner has 2\n";
    assert!(ran.stdout.contains(split), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("theirs: held by somebody who does not say who\n  9 min 5"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    assert_eq!(json(&urls, &["split"]).1["locks"][0]["state"], "undecided");
}

#[test]
fn nodes_of_another_set_than_the_configured_one_are_named() {
    const MAX: Duration = Duration::from_secs(1);
    let fleet = RedisFleet::start(3).unwrap();
    let urls = fleet.urls();
    let client = |urls: &[String]| client(urls).ttl(MAX).max_ttl(MAX);
    drop(client(&urls).init_blocking().unwrap());
    let before = status(&urls, &[]);
    assert!(!before.stdout.contains("SET") && !before.stdout.contains("node set"), "{}", before.stdout);
    // Each run of the command takes the change one step further.
    let removal = |code| {
        let gone = fleet.server(0).address();
        let remove = ["nodes", "remove", &gone, "--yes", "--max-ttl", "1s"];
        eventually("the change goes on", || {
            let ran = finish(redlock().args(remove).env("REDLOCK_NODES", urls.join(",")));
            assert!(ran.code == Some(code) || ran.code == Some(69), "{}", ran.stderr);
            ran.code == Some(code)
        });
    };
    let of_the_new = |urls: &[String]| {
        let ran = finish(
            redlock()
                .args(["status", "--json"])
                .env("REDLOCK_NODES", urls.join(","))
                .env("REDLOCK_NODE_SET", "1"),
        );
        serde_json::from_str::<Value>(&ran.stdout).unwrap_or_else(|_| panic!("{} {}", ran.stdout, ran.stderr))
    };
    let are_of_another_set = |view: &Value| {
        let nodes = view["nodes"].as_array().unwrap().iter();
        nodes.map(|node| node["is_of_another_set"].as_bool().unwrap()).collect::<Vec<_>>()
    };

    removal(75);
    // Open to both: nobody is refused, but by the node that clients of the new list have no more.
    let (_, view) = json(&urls, &[]);
    assert_eq!((&view["node_set"], &view["nodes"][1]["node_set"]), (&0.into(), &1.into()), "{view:#}");
    assert_eq!(view["nodes"][0]["node_set"], 0, "{view:#}");
    assert_eq!(are_of_another_set(&view), [false; 3], "{view:#}");
    assert!(status(&urls, &[]).stdout.contains("  SET  "));
    assert_eq!(are_of_another_set(&of_the_new(&urls)), [true, false, false]);

    removal(0);
    let ran = status(&urls, &[]);
    let all: Vec<String> = fleet.iter().map(|server| server.address()).collect();
    let named = format!(
        "  {} belong to node set 1, and this configuration to node set 0: clients need",
        all.join(", ")
    );
    assert!(ran.code == Some(0) && ran.stdout.contains(&named), "{}", ran.stdout);
    let (_, view) = json(&urls, &[]);
    assert_eq!(are_of_another_set(&view), [true; 3], "{view:#}");
    assert_eq!(are_of_another_set(&of_the_new(&urls[1..])), [false; 2]);
}

#[test]
fn other_stores_are_shown_as_well() {
    let server = MemcachedServer::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    for url in [server.url(), format!("file://{}", directory.path().display())] {
        let urls = [url];
        let locks = client(&urls).init_blocking().unwrap();
        let _guard = locks.lock("a").description("the only one").acquire().unwrap();
        let ran = status(&urls, &["a"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(
            ran.stdout.contains("(the only one)\n  for ") && ran.stdout.contains(" on 1 of 1 nodes"),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn a_wrong_call_ends_with_64_and_a_wrong_configuration_with_78() {
    for (urls, arguments, code) in [
        (vec!["redis://127.0.0.1".to_owned()], &["--no-such"][..], 64),
        (vec!["redis://127.0.0.1".to_owned()], &[""], 64),
        (vec!["ftp://127.0.0.1".to_owned()], &["a"], 78),
    ] {
        let ran = status(&urls, arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    let help = status(&[], &["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("69 no quorum has answered"), "{}", help.stdout);
}
