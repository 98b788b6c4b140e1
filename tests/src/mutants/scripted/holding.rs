//! What goes wrong while a lock is held.

use std::sync::Arc;
use std::time::Duration;

use redlock::node::{AcquireRequest, ExtendRequest, Node, NodeFuture, Reply};
use redlock::testing::faulty::{Fault, Op};
use redlock::testing::virtual_env::ClientClock;
use redlock::{LockName, LostReason, OwnerToken, Protections, Ttl};

use super::world::{NAME, TTL, World, both_believe, millis};

/// A client whose clock loses 0.5 % holds a lock that is not renewed; another takes it when it has expired.
pub(crate) fn believed_by_a_slow_clock(protections: Protections) -> bool {
    let world = World::new(protections);
    let (slow, other) = (world.client_with(ClientClock::with_rate(-5_000)), world.client());
    let lock = slow.locks.lock(NAME).renew_at_most(millis(1));
    let guard = world.sim.block_on(lock.try_acquire()).unwrap().unwrap();
    world.sim.advance(TTL + millis(20));
    let others = world.try_acquire(&other).unwrap();
    both_believe(&guard, &others)
}

/// The nodes forget the lock and another takes it; the first holder goes on renewing.
pub(crate) fn prolonged_by_another_owner(protections: Protections) -> bool {
    let world = World::new(protections);
    let (client, other) = (world.client(), world.client());
    let guard = world.try_acquire(&client).unwrap();
    world.nodes.iter().for_each(|node| node.crash_losing_memory());
    let others = world.try_acquire(&other).unwrap();
    world.sim.advance(TTL * 3);
    both_believe(&guard, &others)
}

/// A lock of a minute is extended by a second.
pub(crate) fn shortened(protections: Protections) -> bool {
    let world = World::with_nodes(1, protections);
    let node = &world.nodes[0];
    let granted = |reply: NodeFuture<Reply>| matches!(world.sim.block_on(reply), Ok(Reply::Granted(_)));
    let acquire = |owner, ttl| {
        let request = AcquireRequest::new(name(), owner, ttl, world.in_millis(10));
        granted(Arc::clone(node).acquire(request))
    };
    let [owner, other] = [1, 2].map(|byte| OwnerToken::from_bytes([byte; OwnerToken::BYTES]));
    let [minute, second] = [60, 1].map(|seconds| Ttl::new(Duration::from_secs(seconds)).unwrap());
    assert!(acquire(owner, minute));
    let extension = ExtendRequest::new(name(), owner, second, world.in_millis(10));
    assert!(granted(Arc::clone(node).extend(extension)));
    world.advance(2_000);
    acquire(other, minute)
}

/// A client sleeps while its renewal is under way, past the end of the validity.
pub(crate) fn revived(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    client.set_for(Op::Extend, &Fault::delay(Duration::ZERO, millis(20)));
    let guard = world.try_acquire(&client).unwrap();
    let validity = guard.remaining();
    let has_extended = || client.links[0].log().iter().any(|event| event.op == Op::Extend);
    while !has_extended() {
        assert!(guard.is_valid());
        world.advance(1);
    }
    // The renewal would give as much as the lock had from its beginning, so that it would be valid then.
    let end = guard.valid_until();
    client.env.pause_until(client.env.true_time(end).saturating_add(validity / 10));
    world.sim.advance(end.saturating_since(world.sim.now()) + millis(1));
    assert!(!guard.is_valid());
    world.sim.advance(validity / 10);
    guard.is_valid()
}

/// The nodes forget the lock; renewal hears of it.
pub(crate) fn believed_against_the_majority(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    let guard = world.try_acquire(&client).unwrap();
    world.nodes.iter().for_each(|node| node.crash_losing_memory());
    world.sim.advance(TTL / 2);
    assert!(client.links[0].log().iter().any(|event| event.op == Op::Extend), "renewal must have asked");
    guard.is_valid()
}

/// No node answers any more; the holder works until it is told to stop.
pub(crate) fn told_when_it_was_over(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    let guard = world.try_acquire(&client).unwrap();
    client.links.iter().for_each(|link| link.hang());
    assert_eq!(world.sim.block_on(guard.lost()), Some(LostReason::Expired));
    world.sim.now() >= guard.valid_until()
}

fn name() -> LockName {
    LockName::new(NAME).unwrap()
}
