//! What goes wrong with fencing tokens.

use std::sync::Arc;
use std::time::Duration;

use redlock::node::{AcquireRequest, Fence, Node, ReleaseRequest, Reply};
use redlock::testing::faulty::{Fault, Op};
use redlock::{LockGuard, LockName, OwnerToken, Protections, Ttl};

use super::world::{Client, HANDOFF, NAME, TTL, World, millis};

pub(super) const HOUR: u64 = 3_600_000_000;

/// One node has counted further than the others, and the next holder does not meet it.
pub(crate) fn token_of_a_minority(protections: Protections) -> bool {
    let world = World::new(protections);
    let (first, second) = (world.client(), world.client());
    count_at(&world, 0, u64::MAX, 1);
    first.links[2].next(Op::Acquire, Fault::refuse());
    let earlier = token_of_one_hold(&world, &first);
    second.links[0].next(Op::Acquire, Fault::refuse());
    token_of_one_hold(&world, &second) <= earlier
}

/// A client believes that the nodes are an hour ahead of where they are.
pub(crate) fn token_far_ahead_of_the_nodes_time(protections: Protections) -> bool {
    let world = World::new(protections);
    (0..3).for_each(|node| count_at(&world, node, now(&world) + HOUR, 1));
    token_of_one_hold(&world, &world.client()) > now(&world) + HOUR / 2
}

/// A lock is held while one node after the other loses its counter, which is ahead of the time.
pub(crate) fn token_forgotten_by_one_node_after_the_other(protections: Protections) -> bool {
    let world = World::new(protections);
    (0..3).for_each(|node| count_at(&world, node, 0, HOUR));
    let (first, second) = (world.client(), world.client());
    let guard = world.try_acquire(&first).unwrap();
    let earlier = token(&guard);
    for node in &world.nodes {
        node.forget_counter(&name());
        world.sim.block_on(guard.extend()).unwrap();
        world.advance(10);
    }
    world.sim.block_on(guard.release()).unwrap();
    token_of_one_hold(&world, &second) <= earlier
}

/// Counters are ahead of the time. One node after the other forgets them with everything else, and is admitted again.
pub(crate) fn token_forgotten_with_everything_else(protections: Protections) -> bool {
    let world = World::guarded(protections);
    (0..3).for_each(|node| count_at(&world, node, 0, HOUR));
    let client = world.client();
    let earlier = token_of_one_hold(&world, &client);
    for node in &world.nodes[..2] {
        node.crash_losing_memory();
        world.sim.advance(TTL * 2);
    }
    client.links[2].next(Op::Acquire, Fault::refuse());
    token_of_one_hold(&world, &client) <= earlier
}

/// Every acquire arrives twice.
pub(crate) fn counted_twice(protections: Protections) -> bool {
    let world = World::new(protections);
    let client = world.client();
    client.set_for(Op::Acquire, &Fault::duplicate(millis(5)));
    let guard = world.try_acquire(&client).unwrap();
    world.advance(10);
    assert_eq!(client.links[0].log().iter().filter(|event| event.op == Op::Acquire).count(), 2);
    let seen = world.sim.block_on(Arc::clone(&world.nodes[0]).inspect(name())).unwrap();
    // The first of the tokens that it has taken is the holder's.
    seen.counter.unwrap() > token(&guard) + u64::from(HANDOFF)
}

/// Somebody has the name for a moment on this node, and counts with this hint and span.
pub(super) fn count_at(world: &World, node: usize, hint: u64, span: u64) {
    let node = || Arc::clone(&world.nodes[node]);
    let owner = OwnerToken::from_bytes([9; OwnerToken::BYTES]);
    let ttl = Ttl::new(Duration::from_secs(1)).unwrap();
    let mut request = AcquireRequest::new(name(), owner, ttl, world.in_millis(10));
    request.fence = Some(Fence::new(hint, span, Duration::from_secs(600)));
    assert!(matches!(world.sim.block_on(node().acquire(request)), Ok(Reply::Granted(_))));
    let release = ReleaseRequest::new(name(), owner, None);
    assert!(world.sim.block_on(node().release(release)).unwrap().was_held);
}

pub(super) fn token_of_one_hold(world: &World, client: &Client) -> u64 {
    let guard = world.try_acquire(client).unwrap();
    let token = token(&guard);
    world.sim.block_on(guard.release()).unwrap();
    token
}

pub(super) fn token(guard: &LockGuard) -> u64 {
    guard.fencing_token().unwrap().get()
}

/// The nodes' time, in microseconds.
fn now(world: &World) -> u64 {
    world.sim.now().as_nanos() / 1_000
}

pub(super) fn name() -> LockName {
    LockName::new(NAME).unwrap()
}
