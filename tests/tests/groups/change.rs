//! Groups change while clients contend: with the documented steps nothing is lost, without them it is.

use std::time::Duration;

use futures::future::join_all;
use redlock::{Instant, LockGroups};

use crate::ledger::Ledger;
use crate::world::{Client, Sets, World};

const CLIENTS: u32 = 4;
const STEP: Duration = Duration::from_millis(60);

/// What a client runs with, and until when.
type Course<'a> = Vec<(&'a LockGroups, Duration)>;

/// Locks `name` again and again, with these groups one after the other.
async fn work(client: &Client, start: Instant, course: Course<'_>, name: &str, ledger: &Ledger) {
    for (groups, until) in course {
        while client.env.now() < start.saturating_add(until) {
            let guard = groups.lock(name).acquire().await.unwrap();
            let again = client.env.now().saturating_add(Duration::from_millis(1));
            ledger.add_one(&guard.held(), client.env.sleep_until(again)).await;
            guard.release().await.unwrap();
        }
    }
}

/// Runs clients on these courses; each is given its number.
fn run(world: &World, sets: &Sets, course: impl Fn(u32, &Client) -> Course<'_>) -> Ledger {
    let clients: Vec<_> = (0..CLIENTS).map(|_| world.client(sets)).collect();
    let (ledger, start) = (Ledger::default(), world.sim.now());
    let work = |(number, client)| work(client, start, course(number, client), &sets.name, &ledger);
    world.sim.block_on(join_all((0..).zip(&clients).map(work)));
    ledger
}

#[test]
fn a_group_comes_and_goes_again_without_two_holders_and_with_tokens_that_rise() {
    for (seed, sets) in (0..).zip(&Sets::both()) {
        let world = World::with_clocks_an_hour_apart(seed);
        let ledger = run(&world, sets, |number, client| {
            // One after the other; then all wait until nobody is left in the phase before.
            let phase = |phase: u32| STEP * (CLIENTS + 1) * phase + STEP * number;
            vec![
                (&client.old, phase(1)),
                (&client.changing, phase(2)),
                (&client.new, phase(3)),
                // And back.
                (&client.changing, phase(4)),
                (&client.old, phase(5)),
            ]
        });
        ledger.assert_exact();
    }
}

#[test]
fn a_change_without_the_phase_in_between_has_two_holders() {
    for sets in &Sets::both() {
        let world = World::new(1);
        let ledger = run(&world, sets, |number, client| {
            let switch = STEP * (number + 1);
            vec![(&client.old, switch), (&client.new, STEP * CLIENTS * 2)]
        });
        let state = ledger.so_far();
        assert!(state.overlaps > 0 && state.number < state.turns, "{state:?}");
    }
}

#[test]
fn clients_of_the_first_and_the_last_step_at_one_time_have_two_holders() {
    let sets = &Sets::both()[0];
    let world = World::new(1);
    let ledger = run(&world, sets, |number, client| {
        let switch = STEP * (number + 1);
        // Each goes through the phase, and none waits for the others.
        vec![(&client.old, switch), (&client.changing, switch + STEP / 4), (&client.new, STEP * CLIENTS * 2)]
    });
    assert!(ledger.so_far().overlaps > 0, "{:?}", ledger.so_far());
}

#[test]
fn tokens_fall_if_all_stop_instead_and_the_clocks_of_the_groups_differ() {
    let sets = &Sets::both()[0];
    let world = World::with_clocks_an_hour_apart(1);
    let ledger = run(&world, sets, |_, client| {
        // All leave the old groups at one time: one holder at a time, but the new counters follow other clocks.
        vec![(&client.old, STEP), (&client.new, STEP * 4)]
    });
    assert!(ledger.so_far().fallen > 0, "{:?}", ledger.so_far());
}
