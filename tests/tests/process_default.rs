//! The process-wide default: set, replaced, closed, and missing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use futures::FutureExt as _;
use futures::executor::block_on;
use redlock::{AcquireError, Lock, Locks, blocking};

/// A process has one default: tests that share a process take turns. Each begins without one.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    block_on(redlock::close_default(Duration::ZERO));
    turn
}

fn in_memory() -> Locks {
    block_on(Locks::builder().memory().build()).unwrap()
}

#[test]
fn without_a_default_acquiring_is_an_error_that_says_what_to_call() {
    let _turn = alone();
    assert!(redlock::default_locks().is_none());
    let lock = redlock::lock("a").ttl(Duration::from_secs(1)).retries(3);
    let refused = block_on(lock.acquire()).unwrap_err();
    assert!(matches!(refused, AcquireError::NoDefault));
    assert!(refused.to_string().contains("redlock::set_default"), "{refused}");
    assert!(matches!(block_on(lock.try_acquire()), Err(AcquireError::NoDefault)));
    assert!(block_on(lock.run(async |_| ())).is_err());
    assert!(matches!(block_on(Lock::acquire_all([lock.clone()])), Err(AcquireError::NoDefault)));
    assert!(matches!(blocking::lock("a").acquire(), Err(AcquireError::NoDefault)));
    assert!(block_on(redlock::close_default(Duration::ZERO)).is_none());
    assert!(blocking::close_default(Duration::ZERO).is_none());
    // It stays with what there was when it was made.
    redlock::set_default(in_memory());
    assert!(matches!(block_on(lock.acquire()), Err(AcquireError::NoDefault)));
}

#[test]
fn whoever_asks_by_name_shares_one_set_of_locks() {
    let _turn = alone();
    let locks = in_memory();
    assert!(redlock::set_default(locks.clone()).is_none());
    let guard = block_on(redlock::lock("a").acquire()).unwrap();
    assert!(blocking::lock("a").try_acquire().unwrap().is_none());
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none());
    assert!(block_on(redlock::default_locks().unwrap().lock("b").try_acquire()).unwrap().is_some());
    block_on(guard.release()).unwrap();
    blocking::lock("a").acquire().unwrap().release().unwrap();
    let report = blocking::close_default(Duration::from_secs(10)).unwrap();
    assert_eq!((report.open_guards, report.unsettled), (0, 0));
    assert!(matches!(block_on(locks.lock("a").acquire()), Err(AcquireError::ShutDown)));
}

#[test]
fn a_default_that_is_replaced_acquires_nothing_any_more_and_keeps_what_is_held() {
    let _turn = alone();
    redlock::set_default(in_memory());
    let first = redlock::lock("a");
    let guard = block_on(first.acquire()).unwrap();
    let waiting = thread::spawn({
        let first = first.clone();
        move || block_on(first.acquire()).map(drop)
    });
    let replaced = redlock::set_default(in_memory()).unwrap();
    assert!(matches!(waiting.join().unwrap(), Err(AcquireError::ShutDown)), "who waits is told");
    assert!(matches!(block_on(first.acquire()), Err(AcquireError::ShutDown)));
    assert!(matches!(block_on(replaced.lock("b").acquire()), Err(AcquireError::ShutDown)));
    assert!(guard.is_valid());
    let before = guard.valid_until();
    assert!(block_on(guard.extend()).unwrap() > before, "it is renewed");
    assert!(block_on(redlock::lock("a").try_acquire()).unwrap().is_some(), "the new one knows nothing of it");
    block_on(guard.release()).unwrap();
    assert_eq!(block_on(replaced.shutdown(Duration::from_secs(10))).open_guards, 0);
}

#[test]
fn setting_the_same_locks_again_closes_nothing() {
    let _turn = alone();
    let locks = in_memory();
    redlock::set_default(locks.clone());
    assert!(redlock::set_default(locks.clone()).is_none());
    assert!(block_on(redlock::lock("a").try_acquire()).unwrap().is_some());
    assert!(block_on(locks.lock("b").try_acquire()).unwrap().is_some());
}

#[test]
fn a_close_that_is_abandoned_leaves_no_default_and_what_is_held_stays_held() {
    let _turn = alone();
    redlock::set_default(in_memory());
    let guard = block_on(redlock::lock("a").acquire()).unwrap();
    assert!(
        redlock::close_default(Duration::from_secs(60)).now_or_never().is_none(),
        "it waits for the guard"
    );
    assert!(redlock::default_locks().is_none());
    assert!(guard.is_valid() && block_on(guard.extend()).is_ok());
}
