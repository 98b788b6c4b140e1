//! What goes wrong while a lock is acquired.

use std::time::Duration;

use redlock::Protections;
use redlock::testing::faulty::{Fault, Op};

use super::world::{NAME, TTL, World, millis};

/// A client sleeps between its requests and their replies, for longer than the TTL. Somebody else takes the lock.
pub(crate) fn handed_out_after_its_validity(protections: Protections) -> bool {
    let world = World::new(protections);
    let (sleeper, other) = (world.client(), world.client());
    sleeper.set_for(Op::Acquire, &Fault::delay(Duration::ZERO, millis(10)));
    let lock = sleeper.locks.lock(NAME);
    let acquiring = sleeper.env.run(async move { lock.try_acquire().await });
    world.advance(5);
    sleeper.env.pause_until(world.in_millis(2_000).saturating_add(TTL));
    world.sim.advance(TTL + millis(1_000));
    let others = world.try_acquire(&other).unwrap();
    let handed_out = world.sim.block_on(acquiring).unwrap().unwrap();
    others.is_valid() && handed_out.is_some()
}

/// The reply to the first round is lost, its release is slow, and the second round is granted meanwhile.
pub(crate) fn released_by_an_earlier_round(protections: Protections) -> bool {
    let world = World::with_nodes(1, protections);
    let (client, other) = (world.client(), world.client());
    let link = &client.links[0];
    link.next(Op::Acquire, Fault::drop_reply());
    link.next(Op::Release, Fault::delay(millis(2_000), Duration::ZERO));
    let lock = client.locks.lock(NAME);
    let acquiring = client.env.run(async move { lock.acquire().await });
    // The first round has been given up and its release is under way; what follows takes a new connection.
    world.advance(510);
    link.break_connection();
    let guard = world.sim.block_on(acquiring).unwrap().unwrap();
    world.advance(2_000);
    let others = world.try_acquire(&other);
    others.is_some() && guard.is_valid()
}

/// A client dies while its requests are on a slow way.
pub(crate) fn taken_by_a_ghost(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    client.set_for(Op::Acquire, &Fault::delay(millis(5_000), Duration::ZERO));
    let lock = client.locks.lock(NAME);
    let acquiring = client.env.run(async move { lock.try_acquire().await });
    world.advance(100);
    client.env.crash();
    drop(acquiring);
    world.advance(5_000);
    world.is_held_anywhere()
}
