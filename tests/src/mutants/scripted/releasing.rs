//! What goes wrong when a lock is given up, or never was held.

use std::time::Duration;

use futures::future::{Either, select};
use redlock::Protections;
use redlock::testing::faulty::{Fault, Op};

use super::world::{NAME, TTL, World, both_believe, millis};

/// A release is under way until the lock has expired and another holds it; a third one asks for it.
pub(crate) fn released_by_another_owner(protections: Protections) -> bool {
    let world = World::new(protections);
    let (client, second, third) = (world.client(), world.client(), world.client());
    client.set_for(Op::Release, &Fault::delay(TTL * 2, Duration::ZERO));
    drop(world.try_acquire(&client).unwrap());
    world.sim.advance(TTL * 2 - millis(500));
    let guard = world.try_acquire(&second).unwrap();
    world.advance(600);
    match world.try_acquire(&third) {
        Some(others) => both_believe(&guard, &others),
        None => false,
    }
}

/// The connections break while the requests are under way: the releases behind them arrive first.
pub(crate) fn left_by_a_request_that_was_overtaken(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    client.set_for(Op::Acquire, &Fault::delay(millis(100), Duration::ZERO));
    let lock = client.locks.lock(NAME);
    let acquiring = client.env.run(async move { lock.try_acquire().await });
    world.advance(5);
    client.links.iter().for_each(|link| link.break_connection());
    assert!(world.sim.block_on(acquiring).unwrap().is_err(), "no node answered");
    world.advance(2_000);
    world.is_held_anywhere()
}

/// The future of an acquire is dropped while its requests are under way.
pub(crate) fn left_by_a_dropped_acquire(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    client.set_for(Op::Acquire, &Fault::delay(millis(10), Duration::ZERO));
    let lock = client.locks.lock(NAME);
    let acquiring = Box::pin(lock.try_acquire());
    let Either::Right((_, acquiring)) = world.sim.block_on(select(acquiring, world.sim.sleep(millis(5))))
    else {
        panic!("it must still be under way");
    };
    drop(acquiring);
    world.advance(2_000);
    world.is_held_anywhere()
}
