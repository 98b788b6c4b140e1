//! What callers are told: by errors when a limit is reached, by states after the end.

#![allow(clippy::unwrap_used, clippy::panic)] // Clippy's allowance for tests does not reach their helpers.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::future::select;
use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::{AcquireRequest, Effect, Fence, Node, NodeErrorKind, ReleaseRequest};
use redlock::testing::faulty::{Fault, FaultyNode, Op};
use redlock::testing::virtual_env::VirtualEnv;
use redlock::{AcquireError, Instant, LockGuard, LockName, LockState, Locks, NodeVote, OwnerToken, Ttl};

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
            // Behind the limit there is one look at who has it, which takes 20 ms.
            assert!(sim.now().saturating_since(started) <= limit + Duration::from_millis(20));
        }
    });
}

#[test]
fn an_acquisition_that_cannot_settle_its_token_names_the_nodes_that_do_not_store_it() {
    let sim = VirtualEnv::new(1);
    let env: Arc<dyn Env> = sim.env();
    let nodes: Vec<_> =
        (0..3).map(|node| MemoryNode::new(format!("node-{node}"), Arc::clone(&env))).collect();
    let links = nodes.iter().map(|node| FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, Arc::clone(&env)));
    let (name, owner) = (LockName::new("a").unwrap(), OwnerToken::from_bytes([1; OwnerToken::BYTES]));
    sim.block_on(async {
        // The first node has counted further than the others.
        let ttl = Ttl::new(Duration::from_secs(1)).unwrap();
        let mut request = AcquireRequest::new(name.clone(), owner, ttl, sim.now());
        request.fence = Some(Fence::new(u64::MAX, 1, Duration::from_secs(1)));
        Arc::clone(&nodes[0]).acquire(request).await.unwrap();
        Arc::clone(&nodes[0]).release(ReleaseRequest::new(name.clone(), owner, None)).await.unwrap();

        let mut builder = Locks::builder().env(Arc::clone(&env));
        for link in links {
            link.set_for(Op::Raise, Fault::fail(NodeErrorKind::Denied, Effect::None));
            builder = builder.node(link);
        }
        let locks = builder.build().await.unwrap();
        let error = locks.lock("a").retries(0).acquire().await.unwrap_err();
        let AcquireError::Unavailable { nodes, .. } = &error else { panic!("{error}") };
        assert!(matches!(nodes[0].vote, NodeVote::Granted), "{error}");
        for node in &nodes[1..] {
            assert!(
                matches!(&node.vote, NodeVote::Failed(why) if why.kind == NodeErrorKind::Denied),
                "{error}"
            );
        }
        locks.shutdown(Duration::from_secs(1)).await;
    });
    assert!(nodes.iter().all(|node| !node.is_held_by_anyone(&name)));
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
        // By itself, a waiter would ask again after some seconds; and no hand-over spares it to ask.
        let builder =
            Locks::builder().env(Arc::clone(&env)).acquire_interval(Duration::from_secs(3600)).handoff(0);
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
