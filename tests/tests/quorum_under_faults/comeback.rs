//! Nodes that come back vote again.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{
    LIMIT, assert_no_key_is_left, connect, eventually, is_disconnected, servers_with,
};

use crate::{Failure, first};

fn nodes_vote_again_after(failure: Failure, unused: impl Fn(&redlock::Locks)) {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let back = first(&fleet, 2);
    failure.strike(&back);
    unused(&locks);
    failure.assert_lasts(&back);
    failure.heal(&back);

    eventually("all five nodes get the key", || {
        let guard = block_on(locks.lock("a").acquire()).unwrap();
        let all = servers_with(&fleet, "redlock:a") == 5;
        block_on(guard.release()).unwrap();
        all
    });
    // Two others fail: without those that are back there is no quorum.
    let others: Vec<_> = fleet.iter().skip(3).collect();
    failure.strike(&others);
    let guard = block_on(locks.lock("b").wait_at_most(LIMIT).acquire()).unwrap();
    assert_eq!(servers_with(&fleet, "redlock:b"), 3);
    block_on(guard.release()).unwrap();
    failure.heal(&others);
    assert_no_key_is_left(&fleet);
}

fn acquire_once(locks: &redlock::Locks) {
    block_on(block_on(locks.lock("a").acquire()).unwrap().release()).unwrap();
}

/// Until the silent connections have been given up.
fn acquire_until_disconnected(locks: &redlock::Locks) {
    eventually("the nodes are known to be unreachable", || {
        acquire_once(locks);
        locks.nodes().iter().take(2).all(is_disconnected)
    });
}

#[test]
fn a_node_that_was_killed_and_restarted_votes_again() {
    nodes_vote_again_after(Failure::Killed, acquire_once);
}

#[test]
fn a_node_that_hung_for_a_moment_votes_again() {
    nodes_vote_again_after(Failure::Hung, acquire_once);
}

#[test]
fn a_node_that_hung_until_its_connection_was_given_up_votes_again() {
    nodes_vote_again_after(Failure::Hung, acquire_until_disconnected);
}

#[test]
fn what_a_hung_node_finds_in_its_queue_leaves_no_lock_behind() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let silent = first(&fleet, 3);
    Failure::Hung.strike(&silent);
    for round in 0..20 {
        let lock = locks.lock(format!("ghost-{round}"));
        assert!(block_on(lock.wait_at_most(Duration::from_millis(20)).acquire()).is_err());
    }
    Failure::Hung.heal(&silent);
    // The TTL is far longer than this waits: nothing expires.
    assert_no_key_is_left(&fleet);
}
