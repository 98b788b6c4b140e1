//! One run, from its seed to its outcome.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{join, join_all};
use redlock::Protections;

use super::life::Calm;
use super::outcome::{Outcome, Run};
use super::plans;
use super::world::World;

/// Runs the simulation that follows from `seed`, on a library that has these safeguards.
///
/// # Panics
/// If the library panics, or comes to a point from which nothing can go on.
pub fn run(seed: u64, protections: Protections) -> Run {
    let plan = plans::of(seed);
    let world = World::new(seed, plan, protections);
    let sim = &world.sim;
    let (calm, has_calmed) = oneshot::channel();
    let has_calmed = Calm(has_calmed.shared());
    let early = world.clients.len() - world.setting.late;
    let build = |client| {
        sim.block_on(world.build(client, world.setting.init && client == 0)).expect("all is well yet")
    };
    let locks: Vec<_> = (0..early).map(build).collect();
    *world.locks.lock().unwrap_or_else(PoisonError::into_inner) = locks.clone();
    world.stir();
    let locks = locks.into_iter().map(Some).chain((0..world.setting.late).map(|_| None));
    let lives = locks.enumerate().map(|(client, locks)| {
        let life = Arc::clone(&world).live(client, locks, has_calmed.clone());
        world.clients[client].env.run(life)
    });
    let lives = join_all(lives.collect::<Vec<_>>());
    let (ends, ()) = sim.block_on(join(lives, async {
        (plan.course)(Arc::clone(&world)).await;
        world.locks.lock().unwrap_or_else(PoisonError::into_inner).clear();
        world.calm();
        // Everybody may have crashed.
        let _ = calm.send(());
    }));
    sim.advance(Duration::from_secs(5));
    let crashed = ends.iter().any(Option::is_none);
    world.close(crashed);
    let mut state = world.ledger.now();
    let outcome = Outcome {
        seed,
        plan: plan.name,
        acquired: state.acquired,
        violations: std::mem::take(&mut state.violations),
        trace: state.trace.value(),
    };
    Run { outcome, record: std::mem::take(&mut state.record) }
}
