//! Every way in which a server loses its memory is noticed.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::node::{Incarnation, Standing};
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{LockGuard, Locks};
use redlock_tests::support::eventually;

use super::{MAX_TTL, builder, connect, start, start_with};

fn incarnation(locks: &Locks, node: usize) -> Option<Incarnation> {
    Arc::clone(&locks.nodes()[node]).incarnation()
}

fn is_admitted(locks: &Locks, node: usize) -> bool {
    matches!(locks.nodes()[node].standing(), Standing::Marked(marker) if marker.floor.is_some())
}

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
    is_noticed(&start(3), |server| drop(server.command(&["SET", "#redlock:marker", "x' .. 'y"]).unwrap()));
}

#[test]
fn a_node_that_writes_through_to_disk_may_keep_its_memory_over_a_restart_if_it_is_trusted() {
    let rights = RedisConfig::new("localhost").restart_guard(true).trust_aof(true).acl_rule();
    let fleet = start_with(3, &RedisServer::options().persistent().rights(rights));
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
    let locks = connect(&fleet);
    let other = block_on(builder(&fleet).build()).unwrap();
    let guard: LockGuard = block_on(locks.lock("a").acquire()).unwrap();
    for server in fleet.iter().take(2) {
        server.kill();
        server.restart().unwrap();
    }
    let patience = MAX_TTL * 4;
    let refused = block_on(other.lock("a").wait_at_most(patience).acquire());
    assert!(refused.is_err());
    assert!(guard.is_valid());
    eventually("the key is back on every node", || {
        fleet.iter().all(|server| server.lock_keys().is_ok_and(|keys| keys.len() == 1))
    });
    block_on(guard.release()).unwrap();
    drop(block_on(other.lock("a").wait_at_most(Duration::from_secs(20)).acquire()).unwrap());
}
