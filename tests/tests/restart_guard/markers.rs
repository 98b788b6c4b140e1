//! Every way in which a server loses its memory is noticed.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{BuildError, LockGuard};
use redlock_tests::rivals::builder_of;
use redlock_tests::support::{LIMIT, eventually};

use super::{RENEWED_TTL, builder, connect, durable, incarnation, is_admitted, start, start_with};

const MARKER: &str = "#redlock:marker";

/// Loses a node's memory in some way; it must come out as another one, after a quarantine.
#[track_caller]
fn is_noticed(fleet: &RedisFleet, lose: impl FnOnce(&RedisServer)) {
    let locks = connect(fleet);
    let before = incarnation(&locks, 0);
    assert!(before.is_some() && is_admitted(&locks, 0), "{:?} {:?}", before, locks.nodes()[0].standing());
    lose(fleet.server(0));
    eventually("the node has another memory", || {
        // Whoever asks notices.
        let _ = block_on(locks.lock("any").try_acquire());
        let now = incarnation(&locks, 0);
        now.is_some() && now != before
    });
    assert!(!is_admitted(&locks, 0), "in quarantine first");
    eventually("the quarantine ends", || is_admitted(&locks, 0));
}

#[test]
fn a_restart_without_memory() {
    is_noticed(&start(3), |server| {
        server.kill();
        server.restart().unwrap();
    });
}

#[test]
fn a_restart_with_its_data_since_the_last_writes_may_be_missing() {
    let fleet = start_with(3, &RedisServer::options().persistent());
    is_noticed(&fleet, |server| {
        server.kill();
        server.restart().unwrap();
    });
}

#[test]
fn a_flush() {
    is_noticed(&start(3), |server| drop(server.command(&["FLUSHALL"]).unwrap()));
}

#[test]
fn a_server_that_was_a_replica_for_a_while() {
    let other = RedisServer::options().start().unwrap();
    is_noticed(&start(3), |server| {
        let port = other.port().to_string();
        server.command(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
        eventually("it replicates", || {
            server.command(&["ROLE"]).is_ok_and(|role| format!("{role:?}").contains("connected"))
        });
        server.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    });
}

#[test]
fn a_marker_that_somebody_has_overwritten() {
    is_noticed(&start(3), |server| drop(server.command(&["SET", MARKER, "x' .. 'y"]).unwrap()));
}

#[test]
fn a_marker_that_somebody_has_deleted() {
    is_noticed(&start(3), |server| drop(server.command(&["DEL", MARKER]).unwrap()));
}

#[test]
fn a_marker_that_is_no_string_is_an_error_until_it_is_deleted() {
    let fleet = start(3);
    let locks = connect(&fleet);
    for server in fleet.iter().take(2) {
        server.command(&["DEL", MARKER]).unwrap();
        server.command(&["RPUSH", MARKER, "x"]).unwrap();
    }
    let other = block_on(builder(&fleet).start_without_quorum().build()).unwrap();
    for locks in [&locks, &other] {
        let refused = block_on(locks.lock("a").try_acquire()).unwrap_err().to_string();
        assert!(refused.contains("WRONGTYPE"), "{refused}");
    }
    let refused = block_on(other.lock("a").try_acquire()).unwrap_err().to_string();
    assert!(refused.contains("its marker (#redlock:marker) cannot be read"), "{refused}");
    for server in fleet.iter().take(2) {
        server.command(&["DEL", MARKER]).unwrap();
    }
    for locks in [&locks, &other] {
        drop(block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap());
    }
}

#[test]
fn a_marker_of_a_later_version_is_left_alone_and_is_an_error() {
    let fleet = start(3);
    let locks = connect(&fleet);
    let later = "2 some later version knows what this means";
    for server in fleet.iter().take(2) {
        server.command(&["SET", MARKER, later]).unwrap();
    }
    let refused = block_on(builder(&fleet).build()).unwrap_err();
    let BuildError::Misconfigured { nodes } = &refused else { panic!("{refused}") };
    assert_eq!(nodes.len(), 2);
    assert!(refused.to_string().contains("a later version of this library"), "{refused}");
    // Whoever was connected grants nothing there either.
    for _ in 0..20 {
        assert!(!matches!(block_on(locks.lock("a").try_acquire()), Ok(Some(_))));
    }
    for server in fleet.iter().take(2) {
        assert_eq!(server.command(&["GET", MARKER]).unwrap().text(), Some(later));
    }
}

#[test]
fn a_node_that_writes_through_to_disk_may_keep_its_memory_over_a_restart_if_it_is_trusted() {
    let fleet = start_with(3, &durable());
    let locks = block_on(builder(&fleet).trust_aof(true).init()).unwrap();
    let before = incarnation(&locks, 0);
    fleet.server(0).kill();
    fleet.server(0).restart().unwrap();
    eventually("it is back", || incarnation(&locks, 0).is_some());
    assert_eq!(incarnation(&locks, 0), before);
    assert!(is_admitted(&locks, 0));
}

#[test]
fn a_holder_survives_a_minority_that_loses_its_memory_and_nobody_else_gets_in() {
    let fleet = start(5);
    let builder = || builder_of(fleet.urls(), RENEWED_TTL);
    let locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    let guard: LockGuard = block_on(locks.lock("a").acquire()).unwrap();
    for server in fleet.iter().take(2) {
        server.kill();
        server.restart().unwrap();
    }
    let refused = block_on(other.lock("a").wait_at_most(RENEWED_TTL * 2).acquire());
    assert!(refused.is_err(), "two holders: {}", guard.is_valid());
    assert!(guard.is_valid());
    eventually("the key is back on every node", || {
        fleet.iter().all(|server| server.lock_keys().is_ok_and(|keys| keys.len() == 1))
    });
    block_on(guard.release()).unwrap();
    drop(block_on(other.lock("a").wait_at_most(Duration::from_secs(20)).acquire()).unwrap());
}
