//! All the ways in which a lock becomes free.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{HolderProcess, LONG, assert_no_key_is_left, connect, eventually, lock_keys};

use crate::watched::{
    KEY, TOLD, best_wait, calls, client, eventually_watched, info, listeners, occupy, waiter,
};

#[test]
fn a_release_by_another_client_wakes_a_waiter() {
    let fleet = RedisFleet::start(5).unwrap();
    let holder = connect(&fleet);
    let best = (0..5).map(|_| {
        let locks = client(&fleet);
        let held = block_on(holder.lock("a").acquire()).unwrap();
        fleet.iter().for_each(|server| drop(server.command(&["CONFIG", "RESETSTAT"]).unwrap()));
        let waiter = waiter(&locks);
        eventually_watched(&fleet);
        let started = std::time::Instant::now();
        block_on(held.release()).unwrap();
        let guard = waiter.join().unwrap();
        let waited = started.elapsed();
        block_on(guard.release()).unwrap();
        waited
    });
    let best = best.min().unwrap();
    assert!(best < TOLD, "{best:?}");
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_key_that_a_stranger_deletes_wakes_a_waiter() {
    let fleet = RedisFleet::start(5).unwrap();
    let best = best_wait(&fleet, LONG, || {
        fleet.iter().for_each(|server| drop(server.command(&["DEL", KEY]).unwrap()));
    });
    assert!(best < TOLD, "{best:?}");
}

#[test]
fn a_key_that_expires_because_somebody_sets_its_end_into_the_past_wakes_a_waiter() {
    let fleet = RedisFleet::start(5).unwrap();
    let best = best_wait(&fleet, LONG, || {
        fleet.iter().for_each(|server| drop(server.command(&["PEXPIRE", KEY, "-1"]).unwrap()));
    });
    assert!(best < TOLD, "{best:?}");
}

#[test]
fn a_ttl_that_somebody_shortens_is_noticed() {
    let fleet = RedisFleet::start(3).unwrap();
    let best = best_wait(&fleet, LONG, || {
        fleet.iter().for_each(|server| drop(server.command(&["PEXPIRE", KEY, "50"]).unwrap()));
    });
    assert!(best < TOLD, "{best:?}");
}

#[test]
fn a_key_that_expires_wakes_a_waiter() {
    let fleet = RedisFleet::start(5).unwrap();
    fleet.iter().for_each(|server| occupy(server, Duration::from_millis(700)));
    // It never asks by itself before all tests are over.
    let guard = waiter(&client(&fleet)).join().unwrap();
    assert!(guard.is_valid());
}

#[test]
fn a_quorum_that_becomes_free_is_enough_and_less_is_not() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = client(&fleet);
    fleet.iter().for_each(|server| occupy(server, LONG));
    let waiter = waiter(&locks);
    eventually_watched(&fleet);
    fleet.iter().for_each(|server| drop(server.command(&["CONFIG", "RESETSTAT"]).unwrap()));
    for index in [0, 1] {
        fleet.server(index).command(&["DEL", KEY]).unwrap();
    }
    // It is told, and waits for a third; the others it looks at from time to time.
    eventually("two have told", || {
        (0..2).all(|index| info(fleet.server(index), "stats", "tracking_total_keys") == 0)
    });
    eventually("it has looked at the others", || (2..5).all(|index| calls(fleet.server(index), "pttl") > 0));
    assert!(!waiter.is_finished());
    fleet.iter().for_each(|server| assert_eq!(calls(server, "evalsha"), 0));
    fleet.server(2).command(&["DEL", KEY]).unwrap();
    let guard = waiter.join().unwrap();
    assert_eq!(fleet.iter().filter(|server| calls(server, "evalsha") > 0).count(), 5);
    drop(guard);
}

#[test]
fn every_waiter_of_several_processes_gets_its_turn_after_one_release() {
    let fleet = RedisFleet::start(5).unwrap();
    let mut holder = HolderProcess::start(env!("CARGO_BIN_EXE_holder"), &["hold", "a", "2000"], &fleet);
    assert_eq!(holder.line(), "held");
    let clients: Vec<_> = (0..8).map(|_| client(&fleet)).collect();
    let waiters: Vec<_> = clients.iter().map(waiter).collect();
    eventually("all of them watch", || fleet.iter().all(|server| listeners(server) == 8));
    // Its lock is not released: it expires, for all of them at the same moment.
    holder.kill();
    let releasing = waiters
        .into_iter()
        .map(|waiter| thread::spawn(move || block_on(waiter.join().unwrap().release()).unwrap()));
    for released in releasing.collect::<Vec<_>>() {
        released.join().unwrap();
    }
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_waiter_that_gives_up_leaves_nothing_behind() {
    let fleet = RedisFleet::start(3).unwrap();
    fleet.iter().for_each(|server| occupy(server, LONG));
    let locks = client(&fleet);
    let error = block_on(locks.lock("a").wait_at_most(Duration::from_millis(300)).acquire()).unwrap_err();
    assert!(matches!(error, redlock::AcquireError::Busy { .. }), "{error}");
    fleet.iter().for_each(|server| assert_eq!(lock_keys(server), [KEY]));
    // Nobody waits any more: some time later the second connections are closed, and with them goes what servers remember.
    eventually("no connection listens", || fleet.iter().all(|server| listeners(server) == 0));
    let guard = block_on(locks.lock("b").acquire()).unwrap();
    assert!(guard.is_valid(), "the first connection is still there");
}
