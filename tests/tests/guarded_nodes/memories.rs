//! Nodes that forget everything.

use redlock::testing::faulty::{Fault, Op};

use crate::world::{TTL, World, millis};

#[test]
fn a_new_fleet_grants_nothing_for_the_longest_ttl_and_then_everything() {
    for count in [1, 2, 3, 4, 5] {
        let world = World::fresh(count);
        let client = world.client();
        let start = world.sim.now();
        drop(world.acquire(&client, TTL * 2).unwrap());
        let waited = world.sim.now().saturating_since(start);
        assert!(waited >= TTL && waited < TTL + millis(2_000), "{count}: {waited:?}");
    }
}

#[test]
fn a_node_that_forgets_twice_is_in_quarantine_from_the_second_time_on() {
    let (world, _client) = World::new(3);
    world.nodes[0].crash_losing_memory();
    world.sim.advance(TTL * 3 / 4);
    world.nodes[0].crash_losing_memory();
    world.sim.advance(TTL * 3 / 4);
    assert!(!world.is_admitted(0));
    world.sim.advance(TTL);
    assert!(world.is_admitted(0));
}

#[test]
fn nodes_that_forgot_wait_for_one_that_cannot_be_reached_and_may_remember() {
    let (world, client) = World::new(5);
    client.cut(2);
    world.nodes[..2].iter().for_each(|node| node.crash_losing_memory());
    world.sim.advance(TTL * 3);
    assert!(!world.is_admitted(0) && !world.is_admitted(1));
    client.links[2].set(Fault::none());
    world.sim.advance(TTL);
    assert!(world.is_admitted(0) && world.is_admitted(1));
}

/// A token that a vote from a lost memory has helped to win may be stored by the others only when the quarantine is over.
#[test]
fn others_are_asked_how_far_their_tokens_have_come_when_the_quarantine_is_over() {
    for late in (20..480).step_by(20) {
        let (world, client) = World::new(3);
        for link in &client.links {
            link.set_for(Op::Probe, Fault::delay(millis(0), millis(late)));
        }
        world.nodes[0].crash_losing_memory();
        world.sim.advance(TTL * 2);
        assert!(world.is_admitted(0));
        let marks = client.links[0].log().into_iter().filter(|event| event.op == Op::Mark);
        let marks: Vec<_> = marks.map(|event| event.at).collect();
        let [.., made, admitted] = marks[..] else { panic!("{marks:?}") };
        for link in &client.links[1..] {
            let asked = link.log().into_iter().filter(|event| event.op == Op::Probe && event.at < admitted);
            let asked = asked.map(|event| event.at).max().unwrap();
            assert!(asked >= made.saturating_add(TTL), "{late} ms: asked before the quarantine was over");
        }
    }
}

#[test]
fn a_fleet_that_forgot_everything_comes_back() {
    for count in [1, 2, 3, 4, 5] {
        let (world, client) = World::new(count);
        let guard = world.try_acquire(&client).unwrap().unwrap();
        let token = guard.fencing_token();
        drop(guard);
        world.nodes.iter().for_each(|node| node.crash_losing_memory());
        let next = world.acquire(&client, TTL * 2).unwrap();
        assert!(next.fencing_token() > token);
    }
}

#[test]
fn a_quarantine_whose_node_has_its_clock_set_back_by_an_hour_does_not_last_for_an_hour() {
    for count in [1, 3, 5] {
        let (world, _client) = World::new(count);
        world.nodes[0].step_clock(3_600_000_000);
        world.nodes[0].crash_losing_memory();
        world.sim.advance(millis(2_500));
        assert!(!world.is_admitted(0));
        world.nodes[0].step_clock(-3_600_000_000);
        world.sim.advance(TTL * 5 / 2);
        assert!(world.is_admitted(0), "{count}");
    }
}

#[test]
fn a_clock_that_is_set_ahead_does_not_end_a_quarantine() {
    let (world, _client) = World::new(3);
    world.nodes[0].crash_losing_memory();
    world.sim.advance(millis(3_000));
    world.nodes[0].step_clock(60_000_000);
    world.sim.advance(TTL - millis(500));
    assert!(!world.is_admitted(0));
    world.sim.advance(TTL);
    assert!(world.is_admitted(0));
}

#[test]
fn a_late_grant_of_a_node_that_forgot_meanwhile_counts_for_nothing() {
    let (world, client) = World::new(3);
    client.cut(2);
    client.links[0].next(Op::Acquire, Fault::delay(millis(100), millis(0)));
    world.nodes[0].crash_losing_memory();
    assert!(world.try_acquire(&client).is_err());
    world.sim.advance(millis(500));
    assert_eq!(world.holders(), []);
}
