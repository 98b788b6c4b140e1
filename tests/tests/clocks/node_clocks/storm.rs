//! Clocks that are set and slewed at random under continuous traffic, while servers are restarted too.
//!
//! `REDLOCK_STRIKES=400 cargo test -p redlock-tests --test clocks -- --nocapture under_traffic` deals so many strikes to each of three
//! fleets instead of 40.

use std::env;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redlock::Protections;
use redlock::testing::servers::{ClockStep, RedisServer};
use redlock_tests::oracle::{Rule, Verdict};
use redlock_tests::rivals::builder_of;
use redlock_tests::traffic::Traffic;

use super::{SLEW, start};

/// How many strikes each fleet is dealt.
fn strikes() -> usize {
    env::var("REDLOCK_STRIKES").map_or(40, |count| count.parse().unwrap())
}

/// Strikes until so many have been dealt, or there is a violation; returns what the oracle says then.
fn storm(seed: u64, ttl: Duration, protections: Protections) -> Verdict {
    let fleet = start(5);
    let builder = || builder_of(fleet.urls(), ttl).protections(protections);
    let _admitted = block_on(builder().init()).unwrap();
    let traffic = Traffic::start(seed, || block_on(builder().build()).unwrap());
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..strikes() {
        strike(fleet.server(random.random_range(0..5)), &mut random);
        thread::sleep(Duration::from_millis(random.random_range(0..600)));
        if !traffic.verdict().is_good() {
            break;
        }
    }
    fleet.iter().for_each(|server| server.slew_clock(0).unwrap());
    traffic.end()
}

fn strike(server: &RedisServer, random: &mut StdRng) {
    let little = Duration::from_millis(random.random_range(20..400));
    let much = Duration::from_secs(random.random_range(1..100));
    match random.random_range(0..8) {
        0 | 1 => server.step_clock(ClockStep::Forward(little)).unwrap(),
        2 | 3 => server.step_clock(ClockStep::Forward(much)).unwrap(),
        4 => server.step_clock(ClockStep::Back(little)).unwrap(),
        5 => server.step_clock(ClockStep::Back(much)).unwrap(),
        6 => server.slew_clock([SLEW, 0, -SLEW][random.random_range(0..3)]).unwrap(),
        _ => server.restart().unwrap(),
    }
}

#[test]
fn clocks_that_go_wrong_under_traffic_never_make_two_holders_and_tokens_rise() {
    thread::scope(|scope| {
        for seed in 0..3 {
            scope.spawn(move || {
                let verdict = storm(seed, Duration::from_millis(400), Protections::default());
                println!("{} holds", verdict.figures.acquired);
                assert!(verdict.is_good(), "{verdict:?}");
                assert!(verdict.figures.acquired > strikes(), "the clients were at work: {verdict:?}");
            });
        }
    });
}

#[test]
fn without_the_watch_over_clocks_they_make_two_holders() {
    // Several clocks go wrong within one hold. Whether they do is a matter of luck, the less so the less is done meanwhile.
    let found = (5..10).any(|seed| {
        let verdict = storm(seed, Duration::from_secs(3), Protections::without("clock_guard").unwrap());
        verdict.violations.iter().any(|violation| violation.rule == Rule::MutualExclusion)
    });
    assert!(found, "the safeguard is not missed: this test proves nothing");
}
