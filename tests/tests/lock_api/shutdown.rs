//! `shutdown`: drains, and says what is left.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{AcquireError, LockState, LostReason};
use redlock_tests::support::{LIMIT, assert_no_key_is_left, connect};

#[test]
fn shutdown_sees_every_release_to_its_end() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guards: Vec<_> =
        (0..20).map(|number| block_on(locks.lock(format!("lock-{number}")).acquire()).unwrap()).collect();
    // Somebody lets go while shutdown waits.
    let holder = thread::spawn(move || drop(guards));
    let report = block_on(locks.shutdown(LIMIT));
    assert_eq!((report.open_guards, report.unsettled), (0, 0));
    assert!(
        fleet.iter().all(|server| redlock_tests::support::lock_keys(server).is_empty()),
        "at once: nothing is left to be done"
    );
    holder.join().unwrap();
}

#[test]
fn after_shutdown_nothing_can_be_acquired() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    block_on(locks.shutdown(LIMIT));
    assert!(matches!(block_on(locks.lock("a").acquire()), Err(AcquireError::ShutDown)));
    assert!(matches!(block_on(locks.lock("a").try_acquire()), Err(AcquireError::ShutDown)));
    assert!(matches!(block_on(locks.clone().lock("b").acquire()), Err(AcquireError::ShutDown)));
    assert_no_key_is_left(&fleet);
}

#[test]
fn shutdown_ends_the_waiting_of_others() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let guard = block_on(other.lock("a").acquire()).unwrap();
    let lock = locks.lock("a");
    let waiter = thread::spawn(move || block_on(lock.acquire()).map(drop));
    block_on(locks.shutdown(LIMIT));
    assert!(matches!(waiter.join().unwrap(), Err(AcquireError::ShutDown)));
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_guard_that_is_open_at_the_end_is_reported_and_runs_out() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").ttl(Duration::from_secs(3)).acquire()).unwrap();
    let report = block_on(locks.shutdown(Duration::from_millis(10)));
    assert_eq!(report.open_guards, 1);
    assert_eq!(guard.state(), LockState::Held, "a lock is never taken from a holder that has not let go");
    let valid_until = guard.valid_until();
    assert_eq!(block_on(guard.lost()), Some(LostReason::Expired));
    assert_eq!(guard.valid_until(), valid_until, "it is renewed no longer");
    assert_no_key_is_left(&fleet);
}
