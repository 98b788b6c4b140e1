//! The real driver, locks, renewal and guard over the nodes on virtual time, over nodes, clocks and a network that misbehave
//! at random: one seed a run.
//!
//! `REDLOCK_SEEDS=20000 cargo test --release -p redlock-tests --test simulation` runs more of them,
//! `REDLOCK_SEED=n` one alone.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod chaos;
mod client;
mod counters;
mod outcome;
mod world;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::join_all;
use redlock::Protections;

use client::Calm;
use outcome::{Outcome, Record};
use world::{Plan, World};

fn run(seed: u64, protections: Protections) -> (Outcome, Record) {
    let world = World::new(seed, protections);
    let sim = &world.sim;
    let (calm, has_calmed) = oneshot::channel();
    let has_calmed = Calm(has_calmed.shared());
    // The last one joins later.
    let early = world.clients.len() - 1;
    let mut locks: Vec<_> = (0..early)
        .map(|client| Some(sim.block_on(world.build(client, world.init && client == 0)).unwrap()))
        .collect();
    locks.push(None);
    world.stir();
    let lives = locks.into_iter().enumerate().map(|(client, locks)| {
        let life = Arc::clone(&world).live(client, locks, has_calmed.clone());
        world.clients[client].env.run(life)
    });
    let lives = join_all(lives);
    sim.block_on(async {
        let chaos = async {
            let half = world.chaos();
            half.await;
            // One that holds locks may be gone for good.
            if world.plan != Plan::Leftovers && world.below(2) == 0 {
                world.ledger.count("client crash");
                world.clients[0].env.crash();
            }
            world.calm();
            let _ = calm.send(());
        };
        futures::future::join(lives, chaos).await;
    });
    sim.advance(Duration::from_secs(5));
    let outcome = world.close();
    let mut record = Record::default();
    record.add(&world.ledger.record.lock().unwrap());
    (outcome, record)
}

fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("REDLOCK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("REDLOCK_SEEDS").unwrap_or(default),
    }
}

#[test]
fn nobody_holds_what_somebody_else_holds_and_nothing_is_left_behind() {
    let seeds = seeds(80);
    let is_single = seeds.end - seeds.start == 1;
    let mut acquired = 0;
    let mut record = Record::default();
    for seed in seeds {
        let (outcome, passed) = run(seed, Protections::default());
        acquired += outcome.acquired;
        record.add(&passed);
        assert!(
            outcome.is_good(),
            "{outcome:?}: REDLOCK_SEED={seed} cargo test -p redlock-tests --test simulation"
        );
    }
    assert!(acquired > 0, "no lock was ever acquired: the faults leave nothing to test");
    assert!(is_single || record.missing().is_empty(), "never came up: {:?}", record.missing());
}

#[test]
fn a_seed_repeats_itself() {
    for seed in 4..8 {
        assert_eq!(run(seed, Protections::default()).0, run(seed, Protections::default()).0);
    }
    assert_ne!(run(5, Protections::default()).0.trace, run(9, Protections::default()).0.trace);
}

/// What shows that something is wrong.
type Sign = fn(&Outcome) -> bool;

/// Safeguards that the simulation misses, with the runs that find it, and how it shows.
const MISSED: &[(&str, Plan, Sign)] = &[
    ("release_owner_check", Plan::Memories, |outcome| outcome.overlaps > 0),
    ("stale_deadline", Plan::Leftovers, |outcome| outcome.leftovers > 0),
    ("release_unknown", Plan::Leftovers, |outcome| outcome.leftovers > 0),
    ("adopt_stragglers", Plan::Leftovers, |outcome| outcome.leftovers > 0),
    ("fence_quorum", Plan::Clocks, |outcome| outcome.repeats > 0),
    ("marker_check", Plan::Memories, |outcome| outcome.early_grants > 0),
    ("quarantine", Plan::Memories, |outcome| outcome.early_grants > 0),
    ("quarantine_from_marker", Plan::Memories, |outcome| outcome.early_grants > 0),
    ("clock_guard", Plan::Clocks, |outcome| outcome.overlaps > 0),
    ("own_clock", Plan::Clocks, |outcome| outcome.kept_after_stop > 0),
];

#[test]
fn without_a_safeguard_the_simulation_finds_what_it_is_for() {
    for (safeguard, plan, is_bad) in MISSED {
        let protections = Protections::without(safeguard).unwrap();
        let mut seeds = (0..2_000).filter(|&seed| Plan::of(seed) == *plan);
        let found = seeds.find(|&seed| is_bad(&run(seed, protections).0));
        println!("{safeguard}: found with seed {found:?}");
        assert!(found.is_some(), "{safeguard} is off and nothing happens");
    }
}
