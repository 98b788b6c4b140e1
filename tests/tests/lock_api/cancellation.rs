//! Acquire futures dropped at random points leave nothing behind.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::executor::block_on;
use futures::future::{Either, select};
use redlock::env::Env;
use redlock::testing::real_env;
use redlock::testing::servers::RedisFleet;
use redlock::{Instant, Locks};
use redlock_tests::support::{assert_no_key_is_left, connect, eventually, is_paused};

const ROUNDS: usize = 400;

/// Acquires some names over and over, each time for 2 ms at most; says how often the future was dropped.
fn acquire_and_drop(locks: &Locks, env: &Arc<dyn Env>) -> usize {
    let mut dropped = 0;
    for round in 0..ROUNDS {
        let lock = locks.lock(format!("lock-{}", round % 7));
        let mut random = [0; 8];
        env.fill_random(&mut random).unwrap();
        let patience = Duration::from_micros(u64::from_ne_bytes(random) % 2_000);
        let limit = env.sleep_until(Instant::now().saturating_add(patience));
        match block_on(select(Box::pin(lock.acquire()), limit)) {
            Either::Left((guard, _)) => drop(guard.unwrap()),
            Either::Right(((), acquiring)) => {
                drop(acquiring);
                dropped += 1;
            }
        }
    }
    dropped
}

#[test]
fn acquires_dropped_at_random_points_leave_nothing_on_any_node() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, env) = (connect(&fleet), real_env().unwrap());
    assert!(acquire_and_drop(&locks, &env) > 0, "none was dropped");
    assert_no_key_is_left(&fleet);
    // What was dropped blocks nobody.
    assert!(block_on(locks.lock("lock-0").try_acquire()).unwrap().is_some());
}

#[test]
fn acquires_dropped_while_a_node_is_silent_leave_nothing_on_it_when_it_goes_on() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, env) = (connect(&fleet), real_env().unwrap());
    let silent = fleet.server(4);
    silent.pause().unwrap();
    assert!(acquire_and_drop(&locks, &env) > 0, "none was dropped");
    assert!(is_paused(silent));
    silent.resume().unwrap();
    assert_no_key_is_left(&fleet);
    // Nothing comes later either: all that was under way has been seen to its end.
    let report = block_on(locks.shutdown(redlock_tests::support::LIMIT));
    assert_eq!((report.open_guards, report.unsettled), (0, 0));
    assert!(fleet.iter().all(|server| redlock_tests::support::lock_keys(server).is_empty()));
}

#[test]
fn a_waiter_that_is_dropped_lets_the_next_one_in() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = connect(&fleet);
    let lock = locks.lock("a");
    let guard = block_on(lock.acquire()).unwrap();
    let mut first = Box::pin(lock.acquire());
    let mut second = Box::pin(lock.acquire());
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    drop(first);
    drop(guard);
    let guard = block_on(second).unwrap();
    assert!(guard.is_valid());
    drop(guard);
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_release_that_is_dropped_half_way_goes_on() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    for polls in [0, 1] {
        let guard = block_on(locks.lock("a").acquire()).unwrap();
        let mut release = Box::pin(guard.release());
        for _ in 0..polls {
            let _ = (&mut release).now_or_never();
        }
        drop(release);
        assert_no_key_is_left(&fleet);
    }
    eventually("it can be acquired again", || block_on(locks.lock("a").try_acquire()).unwrap().is_some());
}
