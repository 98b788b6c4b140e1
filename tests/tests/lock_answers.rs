//! What callers are told: by errors when a limit is reached, by states after the end.

#![allow(clippy::unwrap_used, clippy::panic)] // Clippy's allowance for tests does not reach their helpers.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::future::select;
use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::testing::faulty::{Fault, FaultyNode};
use redlock::testing::virtual_env::VirtualEnv;
use redlock::{AcquireError, Instant, LockGuard, LockState, Locks};

#[test]
fn a_wait_limit_in_the_middle_of_a_round_does_not_make_a_busy_lock_unavailable() {
    let sim = VirtualEnv::new(1);
    let env: Arc<dyn Env> = sim.env();
    let near = MemoryNode::new("node", Arc::clone(&env));
    let far = FaultyNode::new(near.clone(), Arc::clone(&env));
    far.set(Fault::delay(Duration::from_millis(10), Duration::from_millis(10)));
    sim.block_on(async {
        let holder = Locks::builder().env(Arc::clone(&env)).node(near).build().await.unwrap();
        let waiter = Locks::builder().env(Arc::clone(&env)).node(far).build().await.unwrap();
        let _guard = holder.lock("a").acquire().await.unwrap();
        // From 20 ms on a whole round has been answered.
        for limit in (21..200).map(Duration::from_millis) {
            let started = sim.now();
            let error = waiter.lock("a").wait_at_most(limit).acquire().await.unwrap_err();
            assert!(matches!(error, AcquireError::Busy { .. }), "{limit:?}: {error}");
            assert!(sim.now().saturating_since(started) <= limit);
        }
    });
}

#[test]
fn waiting_for_a_change_of_what_has_ended_waits_without_burning_the_processor() {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let locks = Locks::builder().memory().build_blocking().unwrap();
        let guard = locks.lock("a").ttl(Duration::from_millis(200)).acquire().unwrap();
        let held = guard.held();
        guard.release().unwrap();
        while Instant::now() < held.valid_until() {
            thread::sleep(Duration::from_millis(1));
        }
        let change = held.state_changed_from(LockState::Released).now_or_never();
        done.send(change).unwrap();
    });
    let change = ended.recv_timeout(Duration::from_secs(30));
    assert_eq!(change, Ok(None), "the first poll must return");
}

/// How long the next waiter of the same `Locks` takes, once `let_go` has been called, over a link of 1 ms each way.
fn time_to_next_waiter(let_go: impl FnOnce(LockGuard)) -> Duration {
    let sim = VirtualEnv::new(1);
    let env: Arc<dyn Env> = sim.env();
    let node = FaultyNode::new(MemoryNode::new("node", Arc::clone(&env)), Arc::clone(&env));
    node.set(Fault::delay(Duration::from_millis(1), Duration::from_millis(1)));
    sim.block_on(async {
        // By itself, a waiter would ask again after some seconds.
        let builder = Locks::builder().env(Arc::clone(&env)).acquire_interval(Duration::from_secs(3600));
        let locks = builder.node(node).build().await.unwrap();
        let guard = locks.lock("a").acquire().await.unwrap();
        let lock = locks.lock("a");
        let mut waiter = Box::pin(lock.acquire());
        select(waiter.as_mut(), env.sleep_until(sim.now().saturating_add(Duration::from_millis(100)))).await;

        let_go(guard);
        let released = sim.now();
        let _guard = waiter.await.unwrap();
        sim.now().saturating_since(released)
    })
}

#[test]
fn a_release_that_nobody_waits_for_wakes_the_next_waiter_all_the_same() {
    let time = time_to_next_waiter(|guard| {
        let mut release = Box::pin(guard.release());
        assert!(release.as_mut().now_or_never().is_none());
    });
    assert_eq!(time, Duration::from_millis(2), "one round trip");
}

#[test]
fn a_dropped_guard_is_released_before_the_next_waiter_asks() {
    assert_eq!(time_to_next_waiter(drop), Duration::from_millis(2), "one round trip");
}
