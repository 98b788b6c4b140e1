//! What goes wrong when nodes forget.

use std::sync::Arc;

use redlock::node::{Node, ReleaseRequest};
use redlock::testing::faulty::Op;
use redlock::{LockName, Protections};

use super::world::{Client, NAME, TTL, World, both_believe, millis};

/// A holder, another client, and nodes that were told to forget everything a while ago.
fn after_a_flush(protections: Protections, age: u64, since: u64) -> bool {
    let world = World::guarded(protections);
    world.advance(age);
    let (client, other) = (world.client(), world.client());
    let guard = world.try_acquire(&client).unwrap();
    world.nodes[..2].iter().for_each(|node| node.flush());
    world.advance(since);
    let others = world.take(&other);
    others.is_some_and(|others| both_believe(&guard, &others))
}

/// Two nodes are told to forget everything, and somebody else asks at once.
pub(crate) fn granted_without_a_marker(protections: Protections) -> bool {
    after_a_flush(protections, 1_000, 0)
}

/// Somebody else asks when the nodes have new markers.
pub(crate) fn granted_with_a_new_memory(protections: Protections) -> bool {
    after_a_flush(protections, 1_000, 2_500)
}

/// The same, of servers that have run for long.
pub(crate) fn granted_by_an_old_process(protections: Protections) -> bool {
    after_a_flush(protections, 60_000, 2_500)
}

/// Nodes forget one after the other, each when the one before is in order again.
pub(crate) fn eroded(protections: Protections) -> bool {
    let world = World::guarded(protections);
    let guard = world.try_acquire(&world.client()).unwrap();
    for node in &world.nodes {
        node.crash_losing_memory();
        world.sim.advance(TTL * 2);
    }
    !guard.is_valid()
}

/// The key alone is deleted on two nodes, somebody else holds the lock for a moment, and the first holder renews.
pub(crate) fn believed_after_another_holder(protections: Protections) -> bool {
    let world = World::guarded(protections);
    let (client, other) = (world.client(), world.client());
    let guard = world.try_acquire(&client).unwrap();
    world.advance(10);
    for node in 0..2 {
        delete(&world, &client, node);
    }
    let others = world.take(&other).unwrap();
    world.sim.block_on(others.release()).unwrap();
    world.sim.advance(TTL / 2 + millis(100));
    guard.is_valid()
}

/// What an operator's DEL does.
fn delete(world: &World, client: &Client, node: usize) {
    let acquire = client.links[node].log().into_iter().find(|event| event.op == Op::Acquire).unwrap();
    let request = ReleaseRequest::new(LockName::new(NAME).unwrap(), acquire.owner.unwrap(), None);
    assert!(world.sim.block_on(Arc::clone(&world.nodes[node]).release(request)).unwrap().was_held);
}
