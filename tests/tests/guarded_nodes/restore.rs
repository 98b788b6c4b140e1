//! An extension that gives the lock back, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use redlock::node::{Node, ReleaseRequest};
use redlock::testing::faulty::{Fault, Op};
use redlock::{ExtendError, LockGuard, LostReason};

use crate::world::{Client, TTL, World, millis, name};

/// A lock that is held on all of three nodes but the last, which never voted.
fn held_on_two(world: &World, client: &Client) -> LockGuard {
    client.links[2].next(Op::Acquire, Fault::refuse());
    let guard = world.try_acquire(client).unwrap().unwrap();
    world.sim.advance(millis(100));
    assert_eq!(world.holders(), [0, 1]);
    guard
}

#[test]
fn a_node_that_never_voted_is_given_the_lock_by_an_extension() {
    let (world, client) = World::new(3);
    let guard = held_on_two(&world, &client);
    world.sim.block_on(guard.extend()).unwrap();
    assert_eq!(world.holders(), [0, 1, 2]);
    world.sim.block_on(guard.release()).unwrap();
    world.sim.advance(millis(100));
    assert_eq!(world.holders(), []);
}

#[test]
fn an_extension_that_is_overtaken_by_the_release_leaves_nothing() {
    let (world, client) = World::new(3);
    let guard = held_on_two(&world, &client);
    client.links[2].next(Op::Extend, Fault::delay(millis(300), Duration::ZERO));
    world.sim.block_on(guard.extend()).unwrap();
    client.links[2].break_connection();
    world.sim.block_on(guard.release()).unwrap();
    world.sim.advance(millis(310));
    assert_eq!(client.asked(2, Op::Extend), 1, "it has come, behind the release");
    world.sim.advance(TTL / 2);
    assert!(client.asked(2, Op::Release) >= 2);
    // The release is repeated until the extension cannot run any more.
    world.sim.advance(TTL / 2);
    assert_eq!(world.holders(), []);
}

#[test]
fn an_extension_that_was_dropped_on_the_way_is_released_with_the_rest() {
    let (world, client) = World::new(3);
    let guard = held_on_two(&world, &client);
    for link in &client.links {
        link.next(Op::Extend, Fault::delay(millis(200), Duration::ZERO));
    }
    let extending = Box::pin(guard.extend());
    let Either::Right((_, extending)) = world.sim.block_on(select(extending, world.sim.sleep(millis(5))))
    else {
        panic!("it must still be under way");
    };
    drop(extending);
    drop(guard);
    world.sim.advance(millis(1_000));
    assert_eq!(client.asked(2, Op::Extend), 1);
    assert_eq!(world.holders(), []);
}

#[test]
fn nothing_is_given_back_after_the_validity_has_ended() {
    let (world, client) = World::new(3);
    let guard = held_on_two(&world, &client);
    client.links[2].next(Op::Extend, Fault::delay(TTL, Duration::ZERO));
    world.sim.block_on(guard.extend()).unwrap();
    client.env.crash();
    world.sim.advance(TTL + millis(10));
    assert_eq!(client.asked(2, Op::Extend), 1, "it has come");
    assert!(!world.holders().contains(&2));
}

#[test]
fn a_key_that_is_missing_from_a_memory_that_is_the_same_means_that_the_lock_was_lost_there() {
    let (world, client) = World::new(3);
    let guard = world.try_acquire(&client).unwrap().unwrap();
    world.sim.advance(millis(10));
    let delete = |node: usize| {
        let request = ReleaseRequest::new(name(), client.owner(), None);
        assert!(world.sim.block_on(Arc::clone(&world.nodes[node]).release(request)).unwrap().was_held);
    };
    delete(0);
    world.sim.block_on(guard.extend()).unwrap();
    assert_eq!(world.holders(), [1, 2]);
    delete(1);
    let lost = world.sim.block_on(guard.extend()).unwrap_err();
    assert!(matches!(lost, ExtendError::Lost(LostReason::Missing)), "{lost}");
}

#[test]
fn a_node_whose_vote_is_still_on_its_way_is_not_given_a_key_that_it_has_lost() {
    let (world, client) = World::new(3);
    client.links[2].next(Op::Acquire, Fault::delay(Duration::ZERO, millis(100)));
    let guard = world.try_acquire(&client).unwrap().unwrap();
    world.sim.advance(millis(10));
    let request = ReleaseRequest::new(name(), client.owner(), None);
    assert!(world.sim.block_on(Arc::clone(&world.nodes[2]).release(request)).unwrap().was_held);
    world.sim.block_on(guard.extend()).unwrap();
    assert_eq!(world.holders(), [0, 1]);
}

#[test]
fn a_node_in_quarantine_gets_the_lock_back_of_which_it_still_grants_nobody_else() {
    let (world, client) = World::new(3);
    let other = world.client();
    let guard = world.try_acquire(&client).unwrap().unwrap();
    world.sim.advance(millis(100));
    world.nodes[0].crash_losing_memory();
    world.sim.advance(TTL / 2);
    assert!(!world.is_admitted(0));
    assert_eq!(world.holders(), [0, 1, 2]);
    assert!(world.try_acquire(&other).unwrap().is_none());
    assert!(guard.is_valid());
}
