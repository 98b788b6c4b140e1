//! The caller's runtime runs nothing: the lock is renewed all the same, and a loss is reported to whoever can hear of it.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{Held, Instant, LockGuard, LockState, Locks, LostReason};
use redlock_tests::support::{Lateness, assert_no_key_is_left, connect, eventually};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::{Failure, first};

const TTL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
enum Kind {
    CurrentThread,
    MultiThread,
}

/// A runtime all of whose threads are blocked, until [`Starved::go_on`].
struct Starved {
    runtime: Handle,
    /// Dropping it lets the tasks go on that block.
    block: Option<Sender<()>>,
    /// Dropping it ends the runtime.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Starved {
    /// Acquires the lock in a task of the runtime, and blocks every thread of the runtime then.
    fn holding(locks: &Locks, kind: Kind) -> (LockGuard, Self) {
        let (runtime, threads) = match kind {
            Kind::CurrentThread => (Builder::new_current_thread().build().unwrap(), 1),
            Kind::MultiThread => (Builder::new_multi_thread().worker_threads(2).build().unwrap(), 2),
        };
        let lock = locks.lock("a").ttl(TTL);
        let guard = runtime.block_on(async { tokio::spawn(async move { lock.acquire().await }).await });
        (guard.unwrap().unwrap(), Self::start(runtime, threads))
    }

    fn start(runtime: Runtime, threads: usize) -> Self {
        let (block, unblocked) = mpsc::channel::<()>();
        let unblocked = Arc::new(Mutex::new(unblocked));
        let (begun, has_begun) = mpsc::channel();
        for _ in 0..threads {
            let (unblocked, begun) = (Arc::clone(&unblocked), begun.clone());
            runtime.spawn(async move { stand_still(&begun, &unblocked) });
        }
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        // A current-thread runtime runs its tasks on the thread that is in `block_on`.
        let thread = thread::spawn(move || drop(runtime.block_on(ended)));
        (0..threads).for_each(|_| has_begun.recv().unwrap());
        Self { runtime: handle, block: Some(block), end: Some(end), thread: Some(thread) }
    }

    fn go_on(&mut self) {
        self.block = None;
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        self.go_on();
        self.end = None;
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Blocks its thread, as no task should.
fn stand_still(begun: &Sender<()>, unblocked: &Mutex<Receiver<()>>) {
    begun.send(()).unwrap();
    // All but one wait for the mutex.
    let _ = unblocked.lock().unwrap().recv();
}

#[test]
fn a_lock_is_renewed_while_the_callers_current_thread_runtime_is_blocked() {
    let fleet = RedisFleet::start(5).unwrap();
    let (guard, starved) = Starved::holding(&connect(&fleet), Kind::CurrentThread);
    let first_end = guard.valid_until();
    eventually("it has been renewed past the validity that it began with", || {
        assert!(guard.is_valid());
        Instant::now() > first_end.saturating_add(TTL)
    });
    assert_eq!(guard.state(), LockState::Held);
    drop(starved);
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

/// Waits for the loss on a thread of its own; says when it was told, and when the validity ended.
fn told<T: Send + 'static>(
    watched: T,
    lost: impl FnOnce(&T) -> Option<LostReason> + Send + 'static,
    valid_until: impl FnOnce(&T) -> Instant + Send + 'static,
) -> JoinHandle<(Instant, Instant)> {
    thread::spawn(move || {
        let reason = lost(&watched);
        let now = Instant::now();
        assert_eq!(reason, Some(LostReason::Expired));
        (now, valid_until(&watched))
    })
}

fn a_loss_is_reported_outside_of_a_starved_runtime(kind: Kind) {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let blocking = locks.blocking().lock("b").ttl(TTL).acquire().unwrap();
    let (guard, mut starved) = Starved::holding(&locks, kind);
    let held = guard.held();
    let inside = starved.runtime.spawn(async move { (held.is_valid(), held.lost().await) });
    let lateness = Lateness::start();
    let watchers = [
        told(blocking, |guard| guard.wait_lost(), |guard| guard.valid_until()),
        told(guard.held(), |held| block_on(held.lost()), Held::valid_until),
        told(
            guard.held(),
            |held| Builder::new_current_thread().build().unwrap().block_on(held.lost()),
            Held::valid_until,
        ),
    ];
    let silent = first(&fleet, 3);
    Failure::Hung.strike(&silent);

    let told = watchers.map(|watcher| watcher.join().unwrap());
    assert!(!guard.is_valid());
    let allowance = lateness.allowance();
    for (at, valid_until) in told {
        let late = at.saturating_since(valid_until);
        assert!(late <= allowance, "{late:?} too late; {allowance:?} would be the machine's own");
    }
    assert!(!inside.is_finished(), "a blocked runtime runs nothing");
    starved.go_on();
    assert_eq!(block_on(inside).unwrap(), (false, Some(LostReason::Expired)), "it is told when it runs");
    drop((guard, starved));
    Failure::Hung.heal(&silent);
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_loss_is_reported_in_time_while_the_callers_current_thread_runtime_is_blocked() {
    a_loss_is_reported_outside_of_a_starved_runtime(Kind::CurrentThread);
}

#[test]
fn a_loss_is_reported_in_time_while_every_worker_of_the_callers_runtime_is_blocked() {
    a_loss_is_reported_outside_of_a_starved_runtime(Kind::MultiThread);
}
