//! What goes wrong while a lease goes from one holder to the next in one process.

use std::sync::Arc;

use futures::future::BoxFuture;
use redlock::env::Env;
use redlock::{Lock, LockGuard, Protections};

use super::fencing::{HOUR, count_at, token, token_of_one_hold};
use super::world::{Client, NAME, TTL, World, both_believe, millis};

/// A former holder looks at its hold when the next one has the lease.
pub(crate) fn believed_by_a_former_holder(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    let guard = world.try_acquire(&client).unwrap();
    let (former, next) = (guard.held(), waits(&world, &client, client.locks.lock(NAME)));
    let next = hand_over(&world, guard, next);
    both_believe(&former, &next)
}

/// A lease that nobody has renewed is handed over shortly before its end.
pub(crate) fn handed_over_at_its_end(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    let lock = client.locks.lock(NAME).ttl(millis(100)).renew_at_most(millis(1));
    let guard = world.sim.block_on(lock.try_acquire()).unwrap().unwrap();
    world.advance(80);
    let next = waits(&world, &client, client.locks.lock(NAME));
    let next = hand_over(&world, guard, next);
    world.advance(100);
    // Asked for ten seconds, just now.
    next.remaining() < TTL / 2
}

/// Two holders of one lease show their tokens to what the lock protects.
pub(crate) fn the_same_token_twice(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    let guard = world.try_acquire(&client).unwrap();
    let (former, next) = (token(&guard), waits(&world, &client, client.locks.lock(NAME)));
    let next = hand_over(&world, guard, next);
    token(&next) <= former
}

/// Two tasks of one process want the lock again and again; another process waits for its turn.
pub(crate) fn kept_from_others(protections: Protections) -> bool {
    let world = World::new(protections);
    let (busy, other) = (world.client(), world.client());
    for _ in 0..2 {
        let (env, lock) = (Arc::clone(&busy.env), busy.locks.lock(NAME));
        let end = env.now().saturating_add(millis(5_000));
        drop(busy.env.run(async move {
            while env.now() < end {
                let guard = lock.acquire().await.unwrap();
                env.sleep_until(env.now().saturating_add(millis(10))).await;
                guard.release().await.unwrap();
            }
        }));
    }
    world.advance(5);
    let turn = other.locks.lock(NAME).wait_at_most(millis(3_000));
    world.sim.block_on(turn.acquire()).is_err()
}

/// Counters are ahead of the time, and one node after the other forgets its own while the first holder of a lease has it; then it
/// is handed over.
pub(crate) fn token_of_a_span_forgotten(protections: Protections) -> bool {
    let world = World::new(protections);
    (0..3).for_each(|node| count_at(&world, node, 0, HOUR));
    let (first, second) = (world.client(), world.client());
    let guard = world.try_acquire(&first).unwrap();
    let next = waits(&world, &first, first.locks.lock(NAME));
    for node in &world.nodes {
        node.forget_counter(&super::fencing::name());
        world.sim.block_on(guard.extend()).unwrap();
        world.advance(10);
    }
    let next = hand_over(&world, guard, next);
    let handed = token(&next);
    world.sim.block_on(next.release()).unwrap();
    token_of_one_hold(&world, &second) <= handed
}

/// Lets a task of the client wait for the lock.
fn waits(world: &World, client: &Client, lock: Lock) -> BoxFuture<'static, Option<LockGuard>> {
    let waiting = client.env.run(async move { lock.acquire().await.unwrap() });
    world.advance(1);
    waiting
}

/// Releases, and returns what the one who waits was handed: without an acquire at any node.
fn hand_over(world: &World, guard: LockGuard, next: BoxFuture<'static, Option<LockGuard>>) -> LockGuard {
    let owner = redlock::testing::owner_of(&guard);
    world.sim.block_on(guard.release()).unwrap();
    let next = world.sim.block_on(next).unwrap();
    assert_eq!(redlock::testing::owner_of(&next), owner, "it must have been handed over");
    next
}
