//! Retries, wait limits and TTLs of a single acquisition.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::AcquireError;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{LIMIT, assert_no_key_is_left, builder, connect, eventually, servers_with};

fn attempts_of(error: AcquireError) -> u32 {
    let AcquireError::Busy { attempts, nodes, .. } = error else { panic!("{error}") };
    assert_eq!(nodes.len(), 5);
    attempts
}

#[test]
fn so_many_retries_are_one_attempt_more() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let guard = block_on(other.lock("a").acquire()).unwrap();
    for retries in [0, 1, 5] {
        let error = block_on(locks.lock("a").retries(retries).acquire()).unwrap_err();
        assert_eq!(attempts_of(error), retries + 1);
    }
    let locks = block_on(builder(&fleet).retries(2).build()).unwrap();
    assert_eq!(attempts_of(block_on(locks.lock("a").acquire()).unwrap_err()), 3, "the default of all locks");
    assert_eq!(attempts_of(block_on(locks.lock("a").retries(0).acquire()).unwrap_err()), 1);
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_lock_that_is_held_is_waited_for_until_the_limit() {
    const WAIT: Duration = Duration::from_millis(400);
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let guard = block_on(other.lock("a").acquire()).unwrap();
    let started = Instant::now();
    let error = block_on(locks.lock("a").wait_at_most(WAIT).acquire()).unwrap_err();
    let took = started.elapsed();
    assert!(took >= WAIT && took < WAIT + LIMIT, "{took:?}");
    let AcquireError::Busy { waited, .. } = error else { panic!("{error}") };
    assert!(waited >= WAIT && waited <= took);
    // Behind another waiter of the same process as well.
    let error = block_on(other.lock("a").wait_at_most(WAIT).acquire()).unwrap_err();
    assert!(matches!(error, AcquireError::Busy { .. }), "{error}");
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_waiter_gets_the_lock_when_it_is_released_before_the_limit() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let guard = block_on(other.lock("a").acquire()).unwrap();
    let lock = locks.lock("a").wait_at_most(LIMIT);
    let waiter = std::thread::spawn(move || block_on(lock.acquire()));
    block_on(guard.release()).unwrap();
    assert!(waiter.join().unwrap().unwrap().is_valid());
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_lock_has_the_ttl_that_it_was_asked_for() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    for seconds in [20, 200] {
        let ttl = Duration::from_secs(seconds);
        let guard = block_on(locks.lock("a").ttl(ttl).acquire()).unwrap();
        eventually("all nodes have the key", || servers_with(&fleet, "redlock:a") == 5);
        for server in &fleet {
            let left = server.command(&["PTTL", "redlock:a"]).unwrap().integer().unwrap();
            let left = Duration::from_millis(left.try_into().unwrap());
            assert!(left <= ttl && left > ttl / 2, "{left:?} of {ttl:?}");
        }
        assert_eq!(guard.ttl().get(), ttl);
        assert!(guard.remaining() < ttl && guard.remaining() > ttl / 2);
        block_on(guard.release()).unwrap();
        assert_no_key_is_left(&fleet);
    }
}
