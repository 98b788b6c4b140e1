//! The blocking facade, end to end, without any runtime.

use std::thread;
use std::time::Duration;

use redlock::testing::servers::RedisFleet;
use redlock::{AcquireError, LockState, LostReason};
use redlock_tests::support::{LIMIT, assert_no_key_is_left, builder, servers_with};

#[test]
fn a_lock_is_acquired_extended_and_released_by_blocking_calls() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) =
        (builder(&fleet).build_blocking().unwrap(), builder(&fleet).build_blocking().unwrap());
    let guard = locks.lock("a").ttl(Duration::from_secs(60)).wait_at_most(LIMIT).acquire().unwrap();
    assert_eq!(guard.state(), LockState::Held);
    assert!(servers_with(&fleet, "redlock:a") >= 3);
    let before = guard.valid_until();
    assert!(guard.extend().unwrap() > before);
    assert!(other.lock("a").try_acquire().unwrap().is_none());
    let error = other.lock("a").retries(1).acquire().unwrap_err();
    assert!(matches!(error, AcquireError::Busy { attempts: 2, .. }), "{error}");

    let waiter = thread::spawn(move || other.lock("a").acquire().map(drop));
    guard.release().unwrap();
    waiter.join().unwrap().unwrap();
    assert_no_key_is_left(&fleet);

    drop(locks.lock("a").try_acquire().unwrap().unwrap());
    assert_no_key_is_left(&fleet);
    let report = locks.shutdown(LIMIT);
    assert_eq!((report.open_guards, report.unsettled), (0, 0));
    assert!(matches!(locks.lock("a").acquire(), Err(AcquireError::ShutDown)));
}

#[test]
fn a_blocked_thread_learns_of_the_loss() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = builder(&fleet).build_blocking().unwrap();
    let lock = locks.lock("a").ttl(Duration::from_secs(1)).renew_at_most(Duration::from_millis(1));
    let guard = lock.acquire().unwrap();
    assert_eq!(guard.wait_lost(), Some(LostReason::RenewLimit));
    assert!(guard.release().is_err());
    assert_no_key_is_left(&fleet);
}
