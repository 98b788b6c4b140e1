//! What counts as held, and what a round that fails leaves behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{join, join_all};
use redlock::node::NodeErrorKind;
use redlock::testing::faulty::{Fault, Op};
use redlock::{AcquireError, DriftFactor, LockState, Locks, NodeVote, Ttl};

use crate::fleet;
use crate::world::{MS, SECOND, World};

#[test]
fn four_nodes_that_are_split_two_and_two_decide_at_once_and_then_agree() {
    // node-redlock: acquire hangs for ever on an even split.
    let world = World::new(4);
    let (one, other) = (world.client(), world.client());
    // Each comes first to two of the nodes.
    let split = || {
        one.ways[2..].iter().for_each(|way| way.next(Op::Acquire, Fault::delay(10 * MS, Duration::ZERO)));
        other.ways[..2].iter().for_each(|way| way.next(Op::Acquire, Fault::delay(10 * MS, Duration::ZERO)));
    };
    split();
    let (mine, theirs) = (one.locks.lock("a"), other.locks.lock("a"));
    let (first, second) = world.within(100 * MS, join(mine.try_acquire(), theirs.try_acquire()));
    assert!(first.unwrap().is_none() && second.unwrap().is_none());
    world.sim.advance(20 * MS);
    assert_eq!(world.holders("a"), 0);

    split();
    let hold = async |lock: redlock::Lock| {
        let guard = lock.acquire().await.unwrap();
        world.sim.sleep(MS).await;
        guard.release().await.unwrap();
    };
    world.within(SECOND, join(hold(mine), hold(theirs)));
}

#[test]
fn an_even_number_of_nodes_needs_more_than_half_and_works() {
    // node-redlock: acquire hangs for ever on an even split.
    for (nodes, quorum) in [(2, 2), (4, 3), (6, 4)] {
        let world = World::new(nodes);
        let client = world.client();
        assert_eq!(client.locks.quorum().size(), quorum);
        let spare = nodes - quorum;
        client.ways[..spare].iter().for_each(|way| way.set(Fault::refuse()));
        drop(world.acquire(&client, "a", SECOND));
        client.ways[..=spare].iter().for_each(|way| way.set(Fault::refuse()));
        let error = world.within(SECOND, client.locks.lock("b").try_acquire()).unwrap_err();
        assert!(matches!(error, AcquireError::Unavailable { .. }), "{error}");
    }
}

#[test]
fn an_acquire_that_took_longer_than_the_ttl_is_not_held_and_leaves_nothing() {
    // node-redlock, redlock-rs, Redisson: the lock that is returned has expired already.
    let world = World::new(3);
    let client = world.client_with(|builder| builder.node_timeout(10 * SECOND));
    let ttl = 100 * MS;
    // Granted in time, and told too late.
    client.ways.iter().for_each(|way| way.set_for(Op::Acquire, Fault::delay(Duration::ZERO, 99 * MS)));
    let lock = client.locks.lock("a").ttl(ttl);
    assert!(world.within(SECOND, lock.try_acquire()).unwrap().is_none());
    // A little faster it is, with what then remains.
    client.ways.iter().for_each(|way| way.set_for(Op::Acquire, Fault::delay(Duration::ZERO, 96 * MS)));
    let guard = world.within(SECOND, lock.try_acquire()).unwrap().unwrap();
    assert_eq!(guard.remaining(), MS);
    drop(guard);
    world.sim.advance(SECOND);
    assert_eq!(world.holders("a"), 0);
}

#[test]
fn a_validity_never_wraps_around() {
    // redlock-rs: an acquire that took too long has a validity of 2^64 ms less a few.
    let world = World::new(3);
    for late in [50, 97, 98, 100, 5_000, 86_400_000] {
        let client = world.client_with(|builder| builder.node_timeout(200_000 * SECOND));
        client.ways.iter().for_each(|way| way.set_for(Op::Acquire, Fault::delay(late * MS, Duration::ZERO)));
        let started = world.sim.now();
        let lock = client.locks.lock(format!("{late}")).ttl(100 * MS);
        if let Ok(Some(guard)) = world.sim.block_on(lock.try_acquire()) {
            assert!(guard.valid_until() <= started.saturating_add(100 * MS), "{late} ms");
            assert!(late < 97, "{late} ms");
        }
    }
    // An allowance for drift that takes more than the TTL leaves nothing, neither.
    let client = world.client_with(|builder| builder.drift_factor(DriftFactor::MAX));
    let guard = world.acquire(&client, "b", Ttl::MIN);
    assert_eq!(guard.remaining(), 3 * MS);
}

#[test]
fn the_validity_counts_from_before_the_asking_and_leaves_room_for_drift() {
    // Redisson: no allowance for clocks that differ, none for the time that acquiring took.
    let world = World::new(5);
    let client = world.client();
    client.ways.iter().for_each(|way| way.set(Fault::delay(20 * MS, 20 * MS)));
    let started = world.sim.now();
    let guard = world.acquire(&client, "a", 10 * SECOND);
    assert_eq!(world.since(started), 40 * MS);
    // 1 % and 2 ms.
    assert_eq!(guard.valid_until().saturating_since(started), 10 * SECOND - 102 * MS);
}

#[test]
fn a_lost_reply_to_the_acquire_does_not_block_the_next_round() {
    // node-redlock, due: finds its own key from the first try and waits until that has expired.
    let world = World::new(3);
    let client = world.client();
    client.ways.iter().take(2).for_each(|way| way.next(Op::Acquire, Fault::drop_reply()));
    let started = world.sim.now();
    let guard = world.within(30 * SECOND, client.locks.lock("a").ttl(30 * SECOND).acquire()).unwrap();
    assert!(world.since(started) < 2 * SECOND, "{:?}", world.since(started));
    assert_eq!(guard.state(), LockState::Held);
}

#[test]
fn a_single_node_whose_reply_was_lost_is_acquired_in_the_next_round_too() {
    // due: a lost reply to SET NX, sent again by the client, sees its own key as somebody else's.
    let world = World::new(1);
    let client = world.client();
    client.ways[0].next(Op::Acquire, Fault::drop_reply());
    let guard = world.within(2 * SECOND, client.locks.lock("a").ttl(30 * SECOND).acquire()).unwrap();
    assert_eq!(guard.state(), LockState::Held);
}

#[test]
fn a_node_that_is_down_neither_fails_the_acquire_nor_leaves_keys_on_the_others() {
    // redlock-rs: one node that refuses connections fails the acquire, and the keys on the others stay.
    let world = World::new(5);
    let client = world.client();
    client.ways[0].set(Fault::refuse());
    let guard = world.acquire(&client, "a", 30 * SECOND);
    world.within(SECOND, guard.release()).unwrap();
    world.sim.advance(SECOND);
    assert_eq!(world.holders("a"), 0);

    client.ways.iter().take(3).for_each(|way| way.set(Fault::refuse()));
    assert!(world.within(SECOND, client.locks.lock("b").ttl(30 * SECOND).try_acquire()).is_err());
    world.sim.advance(SECOND);
    assert_eq!(world.holders("b"), 0, "the two that granted were released");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_servers_that_are_down_leave_no_keys_on_the_others() {
    // redlock-rs, redlock-py: a dead node makes every acquire fail, and its keys stay on the four others.
    let fleet = fleet::start(5);
    let locks = fleet::locks(&fleet).await;
    fleet.server(0).kill();
    for _ in 0..20 {
        let guard = locks.lock("a").acquire().await.unwrap();
        guard.release().await.unwrap();
    }
    fleet.server(1).kill();
    fleet.server(2).kill();
    for round in 0..20 {
        let error = locks.lock(format!("b{round}")).try_acquire().await.unwrap_err();
        assert!(matches!(error, AcquireError::Unavailable { .. }), "{error}");
    }
    fleet::eventually("the two that live have no key", || {
        fleet.iter().skip(3).all(|server| server.lock_keys().unwrap().is_empty())
    })
    .await;
}

#[test]
fn an_error_says_what_each_node_said() {
    // node-redlock: an error without reasons is the complaint that it hears most.
    let world = World::new(5);
    let client = world.client();
    world.occupy(0, "a", 30 * SECOND);
    client.ways[1].set(Fault::refuse());
    client.ways[2].set(Fault::drop_request());
    let error = world.within(SECOND, client.locks.lock("a").ttl(SECOND).retries(0).acquire()).unwrap_err();
    let AcquireError::Busy { nodes, attempts: 1, .. } = &error else { panic!("{error}") };
    assert!(matches!(&nodes[0].vote, NodeVote::Refused(refusal) if refusal.remaining == Some(30 * SECOND)));
    assert!(matches!(&nodes[1].vote, NodeVote::Failed(error) if error.kind == NodeErrorKind::Unreachable));
    assert!(matches!(&nodes[2].vote, NodeVote::Failed(error) if error.kind == NodeErrorKind::Timeout));
    let text = error.to_string();
    for part in [
        "node-0: held by another owner for another 30.0s",
        "node-1: connection refused",
        "node-2: no answer within 50.0ms",
        "node-3: granted",
        "node-4: granted",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn all_nodes_are_asked_at_once() {
    // Redisson, redlock-rs: one node after the other.
    let world = World::new(5);
    let client = world.client();
    client.ways.iter().for_each(|way| way.set(Fault::delay(30 * MS, 30 * MS)));
    let started = world.sim.now();
    let guard = world.acquire(&client, "a", 10 * SECOND);
    world.within(SECOND, guard.extend()).unwrap();
    world.within(SECOND, guard.release()).unwrap();
    assert_eq!(world.since(started), 3 * 60 * MS);
    for (op, after) in [(Op::Acquire, 30), (Op::Extend, 90), (Op::Release, 150)] {
        assert_eq!(client.arrivals(op), [started.saturating_add(after * MS); 5], "{op:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_never_hold_one_lock_at_the_same_time() {
    // Redisson, RedLock.net: two holders.
    let fleet = fleet::start(5);
    let inside = Arc::new(AtomicUsize::new(0));
    let clients: Vec<Locks> = join_all((0..3).map(|_| fleet::locks(&fleet))).await;
    let tasks = clients.iter().flat_map(|locks| std::iter::repeat_n(locks.clone(), 5)).map(|locks| {
        let inside = Arc::clone(&inside);
        tokio::spawn(async move {
            for _ in 0..20 {
                let guard = locks.lock("a").acquire().await.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else is inside");
                tokio::task::yield_now().await;
                assert!(guard.is_valid());
                inside.fetch_sub(1, Ordering::SeqCst);
                guard.release().await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    for locks in &clients {
        assert_eq!(locks.shutdown(Duration::from_secs(60)).await.unsettled, 0);
    }
    assert_eq!(fleet::keys(&fleet), 0, "{:?}", fleet.lock_keys());
}
