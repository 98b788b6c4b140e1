//! `trustAof`: a restart forgets nothing where every write was on disk before it was answered, on both sides of the restart.

use std::fs;
use std::path::Path;

use futures::executor::block_on;
use redlock::BuildError;
use redlock::node::NodeErrorKind;
use redlock::testing::servers::RedisOptions;
use redlock_tests::support::eventually;

use super::{MAX_TTL, builder, builder_of, durable, incarnation, is_admitted, start_with, url, ways_to};

const MARKER: &str = "#redlock:marker";

/// Writes its log when `file` says so, from its next start on.
fn options(file: &Path) -> RedisOptions {
    durable().args(["--include", file.to_str().unwrap()])
}

fn set_fsync(file: &Path, policy: &str) {
    fs::write(file, format!("appendfsync {policy}\n")).unwrap();
}

/// Whether the nodes keep their memory over a restart, with this policy before and that one after.
fn is_kept(before: &str, after: &str) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fsync.conf");
    set_fsync(&file, before);
    let fleet = start_with(1, &options(&file));
    let server = fleet.server(0);
    let policy = || server.command(&["CONFIG", "GET", "appendfsync"]).unwrap().texts()[1].clone();
    assert_eq!(policy(), before);
    let locks = block_on(builder(&fleet).trust_aof(true).init()).unwrap();
    let earlier = incarnation(&locks, 0);
    assert!(earlier.is_some());
    server.kill();
    set_fsync(&file, after);
    server.restart().unwrap();
    assert_eq!(policy(), after);
    eventually("it has been judged", || {
        let _ = block_on(locks.lock("any").try_acquire());
        incarnation(&locks, 0).is_some()
    });
    incarnation(&locks, 0) == earlier
}

#[test]
fn both_sides_of_the_restart_must_write_through() {
    assert!(is_kept("always", "always"));
    assert!(!is_kept("everysec", "always"));
    assert!(!is_kept("always", "everysec"));
    assert!(!is_kept("everysec", "everysec"));
}

#[test]
fn a_server_that_stops_to_write_through_is_trusted_no_longer() {
    let fleet = start_with(1, &durable());
    let server = fleet.server(0);
    let locks = block_on(builder(&fleet).trust_aof(true).init()).unwrap();
    let earlier = incarnation(&locks, 0);
    let is_noted = || server.command(&["GET", MARKER]).unwrap().text().unwrap().contains(" a ");
    assert!(is_noted());
    server.command(&["CONFIG", "SET", "appendfsync", "everysec"]).unwrap();
    eventually("the marker says so", || {
        let _ = block_on(locks.lock("any").try_acquire());
        !is_noted()
    });
    assert_eq!(incarnation(&locks, 0), earlier, "nothing has been forgotten yet");
    // It comes back with the policy of its command line.
    server.kill();
    server.restart().unwrap();
    eventually("it has another memory", || {
        let _ = block_on(locks.lock("any").try_acquire());
        incarnation(&locks, 0).is_some_and(|now| Some(now) != earlier)
    });
}

#[test]
fn a_promoted_replica_is_not_trusted_whatever_it_writes() {
    let fleet = start_with(3, &durable());
    let master = fleet.server(0);
    let replica = durable().start().unwrap();
    let network = ways_to([master]);
    let way = network.way(0, 0);
    let urls = vec![url(way), fleet.server(1).url(), fleet.server(2).url()];
    let locks = block_on(builder_of(urls, MAX_TTL).trust_aof(true).init()).unwrap();
    let earlier = incarnation(&locks, 0);
    replica.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).unwrap();
    eventually("the marker has got there", || {
        replica.command(&["GET", MARKER]).is_ok_and(|marker| marker.text().is_some())
    });
    replica.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    way.lead_to(&replica.address());
    eventually("it has another memory", || {
        let _ = block_on(locks.lock("any").try_acquire());
        incarnation(&locks, 0).is_some_and(|now| Some(now) != earlier)
    });
    assert!(!is_admitted(&locks, 0), "in quarantine first");
    eventually("the quarantine ends", || is_admitted(&locks, 0));
}

#[test]
fn a_server_that_may_not_be_asked_how_it_writes_is_an_error() {
    let fleet = start_with(1, &durable());
    let server = fleet.server(0);
    server
        .command(&["ACL", "SETUSER", "locker", "on", ">secret-of-the-test", "~*", "+@all", "-config"])
        .unwrap();
    let urls = || vec![format!("redis://locker:secret-of-the-test@{}", server.address())];
    let refused = block_on(builder_of(urls(), MAX_TTL).trust_aof(true).build()).unwrap_err();
    let BuildError::Misconfigured { nodes } = &refused else { panic!("{refused}") };
    assert_eq!(nodes[0].kind, NodeErrorKind::Denied);
    let text = refused.to_string();
    for expected in ["CONFIG GET", "trustAof", "NOPERM", &server.address()] {
        assert!(text.contains(expected), "{text} lacks {expected}");
    }
    assert!(!text.contains("secret-of-the-test"));
    // Without trust nobody asks.
    block_on(builder_of(urls(), MAX_TTL).build()).unwrap();
}
