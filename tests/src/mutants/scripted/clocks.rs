//! What goes wrong when clocks are set, or stand still.

use redlock::Protections;
use redlock::testing::faulty::{Fault, Op};

use super::world::{TTL, World, both_believe, millis};

/// A lock is held on two of three nodes, and the clock of one is set a minute ahead.
pub(crate) fn granted_by_a_clock_that_was_set(protections: Protections) -> bool {
    let world = World::guarded(protections);
    let (client, other) = (world.client(), world.client());
    world.sim.advance(TTL * 2);
    client.links[2].next(Op::Acquire, Fault::refuse());
    let guard = world.try_acquire(&client).unwrap();
    world.nodes[0].step_clock(60_000_000);
    // The first attempt comes too late by the node's clock, and learns its time.
    let first = world.take(&other);
    world.advance(10);
    let others = first.or_else(|| world.take(&other));
    others.is_some_and(|others| both_believe(&guard, &others))
}

/// The holder's machine stands still together with its clock, until another holds the lock.
pub(crate) fn believed_after_standing_still(protections: Protections) -> bool {
    let world = World::guarded(protections);
    let (client, other) = (world.client(), world.client());
    let guard = world.try_acquire(&client).unwrap();
    let end = world.sim.now().saturating_add(TTL + millis(500));
    client.env.pause_until(end);
    client.env.stop_clock_until(end);
    world.sim.advance(TTL + millis(400));
    let others = world.take(&other).unwrap();
    // Its next renewal would tell, but is not due for a while.
    world.advance(2_500);
    both_believe(&guard, &others)
}
