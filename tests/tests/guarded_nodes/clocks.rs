//! Clocks of nodes that are wrong, and our own.

use std::sync::Arc;

use redlock::node::{AcquireRequest, Fence, Node, ReleaseRequest};
use redlock::testing::faulty::{Fault, Op};
use redlock::{LockState, LostReason, OwnerToken, Ttl};

use crate::world::{TTL, World, millis, name};

const SECOND: i64 = 1_000_000;

#[test]
fn a_client_that_has_just_begun_can_acquire_on_nodes_that_differ_by_a_second_each_after_the_longest_ttl() {
    for count in [2, 3, 4, 5] {
        let (world, _first) = World::new(count);
        for (node, ahead) in world.nodes.iter().zip(0..) {
            node.step_clock(ahead * SECOND);
        }
        // The first client sees them move; this one has never seen them otherwise.
        world.sim.advance(TTL * 4);
        let fresh = world.client();
        assert!(world.try_acquire(&fresh).is_err());
        drop(world.acquire(&fresh, TTL * 2).unwrap());
    }
}

#[test]
fn clocks_that_were_set_are_good_again_after_a_while_however_many_they_were() {
    for (count, moves) in [
        (1, &[60][..]),
        (2, &[60]),
        (2, &[60, 60]),
        (3, &[60, -60]),
        (4, &[60, 60]),
        (4, &[60, 50, 40]),
        (5, &[60, -60]),
        (5, &[60, 50, -60]),
        (5, &[-60, -60, -60]),
    ] {
        let (world, client) = World::new(count);
        world.sim.advance(TTL * 2);
        for (node, by) in world.nodes.iter().zip(moves) {
            node.step_clock(by * SECOND);
        }
        drop(world.acquire(&client, TTL * 4).unwrap_or_else(|error| panic!("{count} {moves:?}: {error}")));
    }
}

#[test]
fn a_node_whose_marker_could_not_be_changed_when_its_clock_was_blamed_is_asked_again() {
    let (world, client) = World::new(3);
    world.sim.advance(TTL * 2);
    world.nodes[0].step_clock(60 * SECOND);
    client.links[0].set_for(Op::Mark, Fault::refuse());
    world.sim.advance(TTL / 2);
    assert!(world.is_admitted(0));
    client.links[0].set(Fault::none());
    world.sim.advance(TTL / 2);
    assert!(!world.is_admitted(0), "it may have let go of what is held");
}

#[test]
fn a_holder_whose_machine_stood_still_gives_up_whether_all_nodes_can_be_reached_or_a_bare_quorum() {
    for cut in [&[][..], &[3, 4]] {
        let (world, client) = World::new(5);
        world.sim.advance(TTL * 2);
        cut.iter().for_each(|&node| client.cut(node));
        let guard = world.try_acquire(&client).unwrap().unwrap();
        let end = world.sim.now().saturating_add(millis(5_000));
        client.env.pause_until(end);
        client.env.stop_clock_until(end);
        world.sim.advance(millis(5_000) + TTL / 2);
        assert_eq!(guard.state(), LockState::Lost(LostReason::ClockMoved), "{cut:?}");
    }
}

/// The raise that it waits for takes long; meanwhile the machine stands still and another acquisition shows it.
#[test]
fn an_acquisition_that_was_under_way_when_our_clock_was_found_wrong_is_not_handed_out() {
    let (world, client) = World::new(3);
    world.sim.advance(TTL * 2);
    // One node has counted further than the others.
    let owner = OwnerToken::from_bytes([9; OwnerToken::BYTES]);
    let deadline = world.sim.now().saturating_add(TTL);
    let mut request = AcquireRequest::new(name(), owner, Ttl::new(TTL).unwrap(), deadline);
    request.fence = Some(Fence::new(u64::MAX, 1_000_000, TTL));
    world.sim.block_on(Arc::clone(&world.nodes[0]).acquire(request)).unwrap();
    let release = ReleaseRequest::new(name(), owner, None);
    world.sim.block_on(Arc::clone(&world.nodes[0]).release(release)).unwrap();

    let pause = millis(5_000);
    for link in &client.links {
        link.set_for(Op::Raise, Fault::delay(millis(0), pause + millis(300)));
    }
    let lock = client.locks.lock(crate::world::NAME);
    let acquiring = client.env.run(async move { lock.try_acquire().await });
    world.sim.advance(millis(5));
    assert!(client.asked(1, Op::Raise) + client.asked(2, Op::Raise) > 0);
    let end = world.sim.now().saturating_add(pause);
    client.env.pause_until(end);
    client.env.stop_clock_until(end);
    world.sim.advance(pause + millis(1));
    let other = client.locks.lock("other");
    let _ = world.sim.block_on(other.try_acquire());
    let handed_out = world.sim.block_on(acquiring).unwrap();
    assert!(!matches!(handed_out, Ok(Some(_))), "{handed_out:?}");
}
