//! A delay before the next leader, where the former one has not resigned.

use redlock::{AcquireError, CampaignError};

use crate::world::{MS, Process, SECOND, TTL, World};

const DELAY: std::time::Duration = std::time::Duration::from_secs(6);

fn patient(world: &World) -> Process {
    world.process_with(|builder| builder, |election| election.takeover_delay(DELAY))
}

/// How long after the end of the former leader's validity the next one has begun.
fn waits(world: &World, one: &Process, other: &Process) -> std::time::Duration {
    let leadership = world.campaign(one);
    world.sim.advance(2 * TTL);
    one.cut_off();
    world.sim.block_on(leadership.lost());
    let ended = leadership.valid_until();
    one.reconnect();
    let next = world.campaign(other);
    drop(next);
    drop(leadership);
    world.sim.now().saturating_since(ended)
}

#[test]
fn the_next_leader_waits_when_the_former_one_was_lost() {
    let world = World::new();
    let waited = waits(&world, &patient(&world), &patient(&world));
    assert!(waited >= DELAY && waited <= DELAY + TTL / 10, "{waited:?}");
}

#[test]
fn without_it_the_next_leader_does_not_wait() {
    let world = World::new();
    assert!(waits(&world, &world.process(), &world.process()) < TTL / 10);
    let world = World::new();
    let protections = redlock::Protections::without("takeover_delay").unwrap();
    let off = world.process_with(|b| b.protections(protections), |election| election.takeover_delay(DELAY));
    assert!(waits(&world, &off, &world.process()) < TTL / 10, "the test shows nothing");
}

#[test]
fn a_killed_leader_keeps_others_out_for_ttl_and_delay() {
    let world = World::new();
    let (one, other) = (patient(&world), patient(&world));
    std::mem::forget(world.campaign(&one));
    one.env.crash();
    let died = world.sim.now();
    let _next = world.campaign(&other);
    let waited = world.sim.now().saturating_since(died);
    assert!(waited >= TTL + DELAY - 10 * MS && waited <= TTL + DELAY + 200 * MS, "{waited:?}");
}

#[test]
fn after_a_resignation_the_next_leader_begins_at_once() {
    let world = World::new();
    let (one, other) = (patient(&world), patient(&world));
    let mut leadership = world.campaign(&one);
    world.sim.advance(2 * TTL);
    world.sim.block_on(leadership.resign()).unwrap();
    let at = world.sim.now();
    let _next = world.campaign(&other);
    assert!(world.sim.now().saturating_since(at) < 20 * MS);
}

#[test]
fn a_leader_that_was_lost_and_has_ended_its_work_lets_the_next_one_in() {
    let world = World::new();
    let (one, other) = (patient(&world), patient(&world));
    let leadership = world.campaign(&one);
    one.cut_off();
    world.sim.block_on(leadership.lost());
    one.reconnect();
    world.sim.advance(SECOND);
    assert!(world.sim.block_on(other.election.try_campaign()).unwrap().is_none());
    drop(leadership);
    let at = world.sim.now();
    let _next = world.campaign(&other);
    assert!(world.sim.now().saturating_since(at) < 100 * MS);
}

#[test]
fn a_delay_that_nodes_may_not_keep_is_refused() {
    let world = World::new();
    let process = world.process_with(|b| b.max_ttl(2 * TTL), |election| election.takeover_delay(DELAY));
    let refused = world.sim.block_on(process.election.campaign()).unwrap_err();
    assert!(matches!(refused, CampaignError::Acquire(AcquireError::TtlAboveMax { .. })), "{refused}");
}
