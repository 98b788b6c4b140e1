//! Servers that are killed and come back empty under continuous traffic.

use std::time::{Duration, Instant};
use std::{env, thread};

use futures::executor::block_on;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{LocksBuilder, Protections};

use redlock_tests::oracle::{Rule, Violation};
use redlock_tests::rivals::builder_of;
use redlock_tests::traffic::Traffic;

use super::{durable, start, start_with};

const NODES: usize = 5;
const FLEETS: usize = 3;
/// Shorter than what is between most restarts, so that nodes come out of quarantine under traffic.
const TTL: Duration = Duration::from_millis(400);
/// For mutants, whose nodes need not come out of quarantine: several restarts within one hold, on a busy machine too.
const TTL_OF_MUTANTS: Duration = Duration::from_secs(2);

/// How many servers are restarted in all.
fn restarts() -> usize {
    env::var("REDLOCK_RESTARTS").map_or(60, |count| count.parse().unwrap())
}

/// What came of it.
#[derive(Debug, Default)]
struct Outcome {
    restarts: usize,
    holds: usize,
    violations: Vec<Violation>,
}

/// Restarts so many servers of one fleet, one after the other, sometimes two together, sometimes three in a row.
fn storm(
    seed: u64,
    restarts: usize,
    ttl: Duration,
    change: &dyn Fn(LocksBuilder) -> LocksBuilder,
) -> Outcome {
    storm_over(&start(NODES), seed, restarts, ttl, change)
}

fn storm_over(
    fleet: &RedisFleet,
    seed: u64,
    restarts: usize,
    ttl: Duration,
    change: &dyn Fn(LocksBuilder) -> LocksBuilder,
) -> Outcome {
    let builder = || change(builder_of(fleet.urls(), ttl));
    let _admitted = block_on(builder().init()).unwrap();
    let traffic = Traffic::start(seed, || block_on(builder().build()).unwrap());
    let mut random = StdRng::seed_from_u64(seed);
    let mut outcome = Outcome::default();
    while outcome.restarts < restarts && outcome.violations.is_empty() {
        outcome.restarts += strike(fleet, &mut random);
        thread::sleep(Duration::from_millis(random.random_range(0..600)));
        outcome.violations = traffic.verdict().violations;
    }
    let verdict = traffic.end();
    outcome.violations = verdict.violations;
    outcome.holds = verdict.figures.acquired;
    outcome
}

/// Returns how many were restarted.
fn strike(fleet: &RedisFleet, random: &mut StdRng) -> usize {
    let nodes = fleet.iter().count();
    let first = random.random_range(0..nodes);
    let struck = |count: usize| (0..count.min(nodes)).map(move |step| fleet.server((first + step) % nodes));
    let down = Duration::from_millis(random.random_range(0..100));
    match random.random_range(0..10) {
        0..6 => {
            fleet.server(first).kill();
            thread::sleep(down);
            fleet.server(first).restart().unwrap();
            1
        }
        6..8 => {
            struck(2).for_each(RedisServer::kill);
            thread::sleep(down);
            struck(2).for_each(|server| server.restart().unwrap());
            2
        }
        _ => {
            struck(3).for_each(|server| server.restart().unwrap());
            3
        }
    }
}

/// Storms over several fleets at a time.
fn storms(restarts: usize, change: &(dyn Fn(LocksBuilder) -> LocksBuilder + Sync)) -> Vec<Outcome> {
    let each = restarts.div_ceil(FLEETS);
    thread::scope(|scope| {
        let storms: Vec<_> =
            (0..FLEETS as u64).map(|seed| scope.spawn(move || storm(seed, each, TTL, change))).collect();
        storms.into_iter().map(|storm| storm.join().unwrap()).collect()
    })
}

#[test]
fn restarts_under_traffic_never_make_two_holders_and_tokens_rise() {
    let started = Instant::now();
    let outcomes = storms(restarts(), &|builder| builder);
    for outcome in &outcomes {
        assert!(outcome.violations.is_empty(), "{outcome:?}");
        assert!(outcome.holds >= outcome.restarts, "the clients were at work: {outcome:?}");
    }
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    println!(
        "{} restarts, {} holds, no violation, {:.0?}",
        sum(|outcome| outcome.restarts),
        sum(|outcome| outcome.holds),
        started.elapsed()
    );
}

#[test]
fn fleets_of_other_sizes_stand_it_as_well() {
    thread::scope(|scope| {
        for (nodes, quorum) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4)] {
            scope.spawn(move || {
                let change = |builder: LocksBuilder| builder.quorum(quorum);
                let outcome = storm_over(&start(nodes), nodes as u64, 12, TTL, &change);
                assert!(outcome.violations.is_empty(), "{quorum} of {nodes}: {outcome:?}");
                assert!(outcome.holds > 0, "{quorum} of {nodes}: {outcome:?}");
            });
        }
    });
}

#[test]
fn nodes_that_write_through_to_disk_may_be_trusted_over_restarts() {
    let fleet = start_with(3, &durable());
    let change = |builder: LocksBuilder| builder.trust_aof(true);
    let _admitted = block_on(change(builder_of(fleet.urls(), TTL_OF_MUTANTS)).init()).unwrap();
    let memories = || {
        let marker = |server: &RedisServer| server.command(&["GET", "#redlock:marker"]).unwrap();
        let incarnation =
            |server: &RedisServer| marker(server).text().unwrap().split(' ').nth(1).map(str::to_owned);
        fleet.iter().map(incarnation).collect::<Vec<_>>()
    };
    let before = memories();
    let outcome = storm_over(&fleet, 11, 20, TTL_OF_MUTANTS, &change);
    assert!(outcome.violations.is_empty() && outcome.holds > 0, "{outcome:?}");
    assert_eq!(memories(), before, "none of them was in quarantine");
}

/// A storm that ends with the first violation, which must come.
#[track_caller]
fn shows_two_holders(change: &dyn Fn(LocksBuilder) -> LocksBuilder) {
    let outcome = storm(7, restarts(), TTL_OF_MUTANTS, change);
    println!("{} restarts, {} holds: {:?}", outcome.restarts, outcome.holds, outcome.violations.first());
    assert!(
        outcome.violations.iter().any(|violation| violation.rule == Rule::MutualExclusion),
        "{outcome:?}"
    );
}

#[test]
fn without_quarantine_restarts_under_traffic_make_two_holders() {
    shows_two_holders(&|builder| builder.protections(Protections::without("quarantine").unwrap()));
}

#[test]
fn without_the_guard_restarts_under_traffic_make_two_holders() {
    shows_two_holders(&|builder| builder.restart_guard(false));
}
