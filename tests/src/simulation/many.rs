//! Many runs at once, and what they come to together.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use redlock::Protections;

use super::outcome::{Outcome, Run, Violation};
use super::plans;
use super::record::Record;
use super::run::run;

/// What a set of runs came to.
#[derive(Debug, Default, Clone)]
pub struct Summary {
    /// How many runs there were.
    pub runs: u64,
    /// How many locks they acquired.
    pub acquired: u64,
    /// The runs in which something happened that must not, by seed.
    pub bad: Vec<Outcome>,
    /// What all of them have gone through.
    pub record: Record,
}

impl Summary {
    /// What is wrong with this set of runs; `None` if nothing is, and every situation was reached.
    pub fn complaint(&self) -> Option<String> {
        if let Some(first) = self.bad.first() {
            let more = self.bad.len() - 1;
            return Some(format!("{} ({more} more seeds are bad)", first.complaint()?));
        }
        let missing = self.record.missing();
        (!missing.is_empty()).then(|| {
            format!("{} runs never came to: {}; what needs it was not tested", self.runs, missing.join(", "))
        })
    }

    fn add(&mut self, run: Run) {
        self.runs += 1;
        self.acquired += run.outcome.acquired;
        self.record.add(&run.record);
        if !run.outcome.violations.is_empty() {
            self.bad.push(run.outcome);
        }
    }
}

/// More seeds than these that are bad say nothing new: the rest is not run.
const MOST_BAD: usize = 20;

/// Runs all these seeds on so many threads, calls `progress` with the number of runs after each, and stops early when many are bad.
pub fn run_many(
    seeds: Range<u64>,
    protections: Protections,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Summary {
    run_seeds(seeds, &|seed| seed, protections, threads, progress)
}

/// The same with so many seeds of one plan, by its name.
///
/// # Panics
/// If there is no such plan.
pub fn run_many_in(
    plan: &str,
    numbers: Range<u64>,
    protections: Protections,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Summary {
    run_seeds(numbers, &seeds_of(plan), protections, threads, progress)
}

fn run_seeds(
    seeds: Range<u64>,
    seed_of: &(dyn Fn(u64) -> u64 + Sync),
    protections: Protections,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Summary {
    let next = AtomicU64::new(seeds.start);
    let all = Mutex::new(Summary::default());
    let sum = || all.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while sum().bad.len() < MOST_BAD {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let run = caught(seed_of(seed), protections);
                    let runs = {
                        let mut sum = sum();
                        sum.add(run);
                        sum.runs
                    };
                    progress(runs);
                }
            });
        }
    });
    let mut summary = sum().clone();
    summary.bad.sort_by_key(|outcome| outcome.seed);
    summary
}

/// The first seed below `limit` in which something happens that must not, and what.
pub fn first_violation(protections: Protections, limit: u64) -> Option<(u64, String)> {
    (0..limit).find_map(|seed| violation_of(seed, protections))
}

/// The same among the first `limit` seeds of one plan, by its name.
///
/// # Panics
/// If there is no such plan.
pub fn first_violation_in(plan: &str, protections: Protections, limit: u64) -> Option<(u64, String)> {
    let seed_of = seeds_of(plan);
    (0..limit).find_map(|number| violation_of(seed_of(number), protections))
}

/// The seeds of a plan, by their numbers among those.
fn seeds_of(plan: &str) -> impl Fn(u64) -> u64 + Sync + use<> {
    let count = plans::ALL.len() as u64;
    let first = plans::ALL.iter().position(|known| known.name == plan).expect("a plan that there is") as u64;
    move |number| first + number * count
}

/// The names of all plans, in the order in which seeds take turns in them.
pub fn plan_names() -> impl Iterator<Item = &'static str> {
    plans::ALL.iter().map(|plan| plan.name)
}

fn violation_of(seed: u64, protections: Protections) -> Option<(u64, String)> {
    Some((seed, caught(seed, protections).outcome.violations.first()?.to_string()))
}

/// A run; a panic in it is a violation like any other.
fn caught(seed: u64, protections: Protections) -> Run {
    catch_unwind(AssertUnwindSafe(|| run(seed, protections))).unwrap_or_else(|panic| {
        let violations = vec![Violation { invariant: "no panic", at: Duration::ZERO, what: text(&*panic) }];
        let outcome = Outcome { seed, plan: plans::of(seed).name, acquired: 0, violations, trace: 0 };
        Run { outcome, record: Record::default() }
    })
}

fn text(panic: &(dyn Any + Send)) -> String {
    let known = panic.downcast_ref::<String>().cloned();
    known.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
