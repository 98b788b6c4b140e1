//! Groups change while clients contend: with the documented steps nothing is lost, without them it is.

use std::time::Duration;

use futures::future::join_all;
use redlock::{Instant, LockGroups};
use tokio::sync::Barrier;

use crate::ledger::Ledger;
use crate::world::{Client, Sets, World};

const CLIENTS: u32 = 4;
const STEP: Duration = Duration::from_millis(60);

/// What a client runs with, and until when.
type Course<'a> = Vec<(&'a LockGroups, Duration)>;

/// Whether a client that has come to the end of a phase waits until all have left the phase before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    ForAll,
    ForNobody,
}

struct Scene<'a> {
    client: &'a Client,
    start: Instant,
    name: &'a str,
    ledger: &'a Ledger,
    gate: Option<&'a Barrier>,
}

impl Scene<'_> {
    /// Locks the name again and again, with these groups one after the other.
    async fn work(&self, course: Course<'_>) {
        for (groups, until) in course {
            while self.client.env.now() < self.start.saturating_add(until) {
                self.turn(groups).await;
            }
            if let Some(gate) = self.gate {
                gate.wait().await;
                // So that some are still in this phase when others are in the next one.
                for _ in 0..3 {
                    self.turn(groups).await;
                }
            }
        }
    }

    async fn turn(&self, groups: &LockGroups) {
        let env = &self.client.env;
        let guard = groups.lock(self.name).acquire().await.unwrap();
        let written = env.now().saturating_add(Duration::from_millis(1));
        self.ledger.add_one(&guard.held(), env.sleep_until(written)).await;
        guard.release().await.unwrap();
    }
}

/// Runs clients on these courses; each is given its number.
fn run(world: &World, sets: &Sets, waiting: Waiting, course: impl Fn(u32, &Client) -> Course<'_>) -> Ledger {
    let clients: Vec<_> = (0..CLIENTS).map(|_| world.client(sets)).collect();
    let (ledger, gate) = (Ledger::default(), Barrier::new(clients.len()));
    let (start, name) = (world.sim.now(), sets.name.as_str());
    let gate = (waiting == Waiting::ForAll).then_some(&gate);
    let scenes: Vec<_> =
        clients.iter().map(|client| Scene { client, start, name, ledger: &ledger, gate }).collect();
    let work = |(number, scene): (_, _)| Scene::work(scene, course(number, scene.client));
    world.sim.block_on(join_all((0..).zip(&scenes).map(work)));
    ledger
}

#[test]
fn a_group_comes_and_goes_again_without_two_holders_and_with_tokens_that_rise() {
    for (seed, sets) in (0..).zip(&Sets::both()) {
        let world = World::with_clocks_an_hour_apart(seed);
        let ledger = run(&world, sets, Waiting::ForAll, |number, client| {
            // One after the other.
            let phase = |phase: u32| STEP * CLIENTS * phase + STEP * number;
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
        let two_hold = (1..=20).any(|seed| {
            let world = World::new(seed);
            let ledger = run(&world, sets, Waiting::ForNobody, |number, client| {
                let switch = STEP * (number + 1);
                vec![(&client.old, switch), (&client.new, STEP * CLIENTS * 2)]
            });
            let state = ledger.so_far();
            state.overlaps > 0 && state.number < state.turns
        });
        assert!(two_hold);
    }
}

#[test]
fn clients_of_the_first_and_the_last_step_at_one_time_have_two_holders() {
    let sets = &Sets::both()[0];
    let two_hold = (1..=20).any(|seed| {
        let world = World::new(seed);
        let ledger = run(&world, sets, Waiting::ForNobody, |number, client| {
            let switch = STEP * (number + 1);
            // Each goes through the phase, and none waits for the others.
            vec![
                (&client.old, switch),
                (&client.changing, switch + STEP / 4),
                (&client.new, STEP * CLIENTS * 2),
            ]
        });
        ledger.so_far().overlaps > 0
    });
    assert!(two_hold);
}

#[test]
fn tokens_of_a_name_that_nobody_locks_during_the_change_follow_the_clocks_of_the_new_group() {
    let sets = &Sets::both()[0];
    for is_locked in [true, false] {
        let world = World::with_clocks_an_hour_apart(1);
        let client = world.client(sets);
        let mut phases = vec![&client.old, &client.changing, &client.new];
        if !is_locked {
            phases.remove(1);
        }
        let tokens: Vec<_> = phases
            .iter()
            .map(|groups| {
                let guard = world.sim.block_on(groups.lock(&sets.name).acquire()).unwrap();
                let token = guard.fencing_token();
                world.sim.block_on(guard.release()).unwrap();
                token
            })
            .collect();
        assert_eq!(tokens.is_sorted_by(|one, next| one < next), is_locked, "{tokens:?}");
    }
}
