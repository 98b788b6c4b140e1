//! Every later holder has a greater token.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{LockGuard, Locks};
use redlock_tests::support::{LIMIT, builder, connect, eventually, servers_with};

use crate::{COUNTER, HOUR, LOCK, stored, time_of};

fn token(guard: &LockGuard) -> u64 {
    guard.fencing_token().unwrap().get()
}

fn acquire(locks: &Locks) -> LockGuard {
    block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap()
}

fn release(guard: LockGuard) {
    block_on(guard.release()).unwrap();
}

/// How many nodes store this token, or a greater one.
fn storing(fleet: &RedisFleet, token: u64) -> usize {
    let counter = |server| stored(server).map_or(0, |counter| counter.parse::<u64>().unwrap());
    fleet.iter().filter(|server| counter(server) >= token).count()
}

/// Has every node's counter stand so far ahead of the time, and a little more on every next one. What a node forgets
/// then does not come back by the time that passes.
fn set_counters_ahead(fleet: &RedisFleet, by: u64, step: u64) {
    let ahead = time_of(fleet.server(0)) + by;
    for (index, server) in (0..).zip(fleet) {
        let value = (ahead + index * step).to_string();
        server.command(&["SET", COUNTER, &value, "PX", "600000"]).unwrap();
    }
}

/// Acquires and releases until all five nodes have taken part.
fn until_all_take_part(fleet: &RedisFleet, locks: &Locks, tokens: &mut Vec<u64>) {
    eventually("all five nodes get the key", || {
        let guard = acquire(locks);
        tokens.push(token(&guard));
        let all = servers_with(fleet, LOCK) == 5;
        release(guard);
        all
    });
}

#[track_caller]
fn assert_rising(tokens: &[u64]) {
    if let Some(pair) = tokens.windows(2).find(|pair| pair[0] >= pair[1]) {
        panic!("{} came before {}", pair[0], pair[1]);
    }
}

#[test]
fn tokens_rise_over_hundreds_of_acquisitions_by_several_clients() {
    let fleet = RedisFleet::start(5).unwrap();
    let tokens = Mutex::new(Vec::new());
    let client = || block_on(builder(&fleet).acquire_interval(Duration::from_millis(2)).build()).unwrap();
    thread::scope(|scope| {
        for locks in [client(), client(), client()] {
            for _ in 0..2 {
                let (locks, tokens) = (locks.clone(), &tokens);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let guard = acquire(&locks);
                        tokens.lock().unwrap().push(token(&guard));
                        release(guard);
                    }
                });
            }
        }
    });
    let tokens = tokens.into_inner().unwrap();
    assert_eq!(tokens.len(), 300);
    assert_rising(&tokens);
}

#[test]
fn tokens_rise_when_two_nodes_have_lost_their_counters() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    set_counters_ahead(&fleet, HOUR, 0);
    for lost in [[0, 1], [3, 4]] {
        let mut tokens = Vec::new();
        until_all_take_part(&fleet, &locks, &mut tokens);
        // The last one is extended, so that all five store it.
        let guard = acquire(&locks);
        tokens.push(token(&guard));
        block_on(guard.extend()).unwrap();
        eventually("all five nodes store the token", || storing(&fleet, token(&guard)) == 5);
        release(guard);
        for index in lost {
            fleet.server(index).restart().unwrap();
            assert_eq!(fleet.server(index).keys().unwrap(), [""; 0]);
            let guard = acquire(&locks);
            tokens.push(token(&guard));
            release(guard);
        }
        until_all_take_part(&fleet, &locks, &mut tokens);
        assert_rising(&tokens);
    }
}

#[test]
fn tokens_rise_when_one_node_after_the_other_loses_its_counter_under_a_lock_that_is_extended() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    set_counters_ahead(&fleet, HOUR, 0);
    let guard = acquire(&locks);
    eventually("all five nodes have granted", || servers_with(&fleet, LOCK) == 5);
    for server in &fleet {
        server.command(&["DEL", COUNTER]).unwrap();
        block_on(guard.extend()).unwrap();
        eventually("all five nodes store the token", || storing(&fleet, token(&guard)) == 5);
    }
    let earlier = token(&guard);
    release(guard);
    let guard = acquire(&locks);
    assert!(token(&guard) > earlier);
    release(guard);
}

#[test]
fn a_quorum_stores_the_token_of_every_holder_even_if_their_counters_differed() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let mut tokens = Vec::new();
    for round in 0..20 {
        set_counters_ahead(&fleet, HOUR * (1 + round), 1_000);
        let guard = acquire(&locks);
        assert!(storing(&fleet, token(&guard)) >= 3, "round {round}");
        tokens.push(token(&guard));
        release(guard);
    }
    assert_rising(&tokens);
}

#[test]
fn without_fencing_there_is_no_token_and_no_counter() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = block_on(builder(&fleet).fencing(false).build()).unwrap();
    let guard = acquire(&locks);
    assert_eq!(guard.fencing_token(), None);
    block_on(guard.extend()).unwrap();
    eventually("all five nodes have granted", || servers_with(&fleet, LOCK) == 5);
    assert_eq!(fleet.all_keys().unwrap(), vec![vec![LOCK.to_owned()]; 5]);
    release(guard);
    eventually("nothing is left", || fleet.all_keys().unwrap().iter().all(Vec::is_empty));
}
