//! `run`: work under a lock, cancelled when it is lost.

use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{AcquireError, LostReason, RunError};
use redlock_tests::support::{assert_no_key_is_left, connect, servers_with};

/// Says when it is dropped.
struct DropFlag(Arc<AtomicBool>);

impl Drop for DropFlag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn run_returns_what_the_work_returns_and_releases() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let value = block_on(locks.lock("a").run(async |held| {
        assert!(held.is_valid());
        assert!(servers_with(&fleet, "redlock:a") >= 3);
        42
    }));
    assert_eq!(value.unwrap(), 42);
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_some());
    assert_no_key_is_left(&fleet);
}

#[test]
fn work_is_dropped_when_its_lock_is_lost() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = DropFlag(Arc::clone(&dropped));
    let lock = locks.lock("a").ttl(Duration::from_secs(3));
    let result = block_on(lock.run(async |_| {
        let _flag = flag;
        for server in &fleet {
            server.command(&["FLUSHALL"]).unwrap();
        }
        pending::<()>().await;
    }));
    assert!(matches!(result, Err(RunError::Lost(LostReason::Missing))), "{result:?}");
    assert!(dropped.load(Ordering::SeqCst), "the work must have gone when run returns");
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_panic_in_the_work_releases_and_goes_on() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let lock = locks.lock("a");
    let work = lock.run(async |_| -> () { panic!("as a test wants it") });
    let panic = block_on(AssertUnwindSafe(work).catch_unwind()).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"as a test wants it"));
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_run_that_is_dropped_drops_the_work_and_releases() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let dropped = Arc::new(AtomicBool::new(false));
    let started = Arc::new(AtomicBool::new(false));
    let (flag, starting) = (DropFlag(Arc::clone(&dropped)), Arc::clone(&started));
    let lock = locks.lock("a");
    let mut run = Box::pin(lock.run(async move |_| {
        let _flag = flag;
        starting.store(true, Ordering::SeqCst);
        pending::<()>().await;
    }));
    redlock_tests::support::eventually("the work has started", || {
        assert!((&mut run).now_or_never().is_none());
        started.load(Ordering::SeqCst)
    });
    drop(run);
    assert!(dropped.load(Ordering::SeqCst));
    assert_no_key_is_left(&fleet);
}

#[test]
fn work_is_not_started_without_the_lock() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let guard = block_on(other.lock("a").acquire()).unwrap();
    let lock = locks.lock("a").retries(0);
    let result = block_on(lock.run(|_| -> std::future::Ready<()> { panic!("it must not be called") }));
    assert!(matches!(result, Err(RunError::Acquire(AcquireError::Busy { .. }))), "{result:?}");
    block_on(guard.release()).unwrap();
    block_on(lock.run(|_| ready(()))).unwrap();
    assert_no_key_is_left(&fleet);
}
