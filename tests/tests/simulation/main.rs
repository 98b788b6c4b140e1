//! The simulation, over many seeds: nothing goes wrong, everything was gone through, and what the safeguards are for is found.
//!
//! `REDLOCK_SEEDS=20000 cargo test --release -p redlock-tests --test simulation` runs more of them,
//! `REDLOCK_SEED=n cargo test -p redlock-tests --test simulation one_seed -- --nocapture` one alone.

mod mutants;

use std::thread::available_parallelism;

use redlock::Protections;
use redlock_tests::simulation::{self, command, plan_names};

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

#[test]
fn nobody_holds_what_somebody_else_holds_and_nothing_is_left_behind() {
    let seeds = number("REDLOCK_SEEDS").unwrap_or(300);
    let summary = simulation::run_many(0..seeds, Protections::default(), threads(), &|_| {});
    for (situation, count) in summary.record.counts() {
        println!("{count:>10} {situation}");
    }
    println!("{} runs, {} locks acquired", summary.runs, summary.acquired);
    for outcome in &summary.bad {
        println!("seed {}: {}", outcome.seed, outcome.violations[0]);
    }
    assert!(summary.acquired > summary.runs, "the faults leave nothing to test");
    if let Some(complaint) = summary.complaint() {
        panic!("{complaint}");
    }
}

#[test]
fn one_seed() {
    let seed = number("REDLOCK_SEED").unwrap_or(0);
    let run = simulation::run(seed, Protections::default());
    println!("{:#?}", run.outcome);
    if let Some(complaint) = run.outcome.complaint() {
        panic!("{complaint}");
    }
}

#[test]
fn a_seed_repeats_itself_to_the_last_event() {
    for seed in 0..plan_names().count() as u64 {
        let run = || simulation::run(seed, Protections::default());
        assert_eq!(run(), run(), "{}", command(seed));
    }
}

#[test]
fn no_two_seeds_are_the_same() {
    let count = plan_names().count() as u64;
    let trace = |seed| simulation::run(seed, Protections::default()).outcome.trace;
    for seed in 0..count {
        assert_ne!(trace(seed), trace(seed + count));
    }
}

#[test]
fn a_set_of_runs_that_never_came_to_a_situation_fails() {
    let summary = simulation::run_many(0..1, Protections::default(), 1, &|runs| assert_eq!(runs, 1));
    assert!(summary.bad.is_empty());
    let complaint = summary.complaint().unwrap();
    assert!(complaint.contains("own clock"), "{complaint}");
}

#[test]
fn a_bad_run_names_the_command_that_shows_it_again() {
    let protections = Protections::without("adopt_stragglers").unwrap();
    let (seed, what) = simulation::first_violation_in("leftovers", protections, 20).unwrap();
    let complaint = simulation::run(seed, protections).outcome.complaint().unwrap();
    assert!(complaint.contains(&what) && complaint.contains(&format!("REDLOCK_SEED={seed} cargo test")));
}
