//! Clocks of nodes that run, step and are read in any way.

use std::time::Duration;

use proptest::prelude::*;

use crate::id::{Instant, Ttl};
use crate::node::ClockReading;
use crate::quorum::{Clocks, Culprit, DriftFactor, Quorum, Trust};

const WINDOW: Duration = Duration::from_secs(30);
const TTL: Ttl = Ttl::from_const(Duration::from_secs(10));
/// What a lock of that TTL sets aside, in microseconds.
const ASIDE: u64 = 102_000;
/// How far a node's clock is ahead of ours at first, in microseconds.
const OFFSET: i64 = 77_000_000;
const START: u64 = 1_000_000_000_000;

fn clocks(nodes: usize) -> Clocks {
    Clocks::new(Quorum::majority(nodes).unwrap(), WINDOW, TTL, DriftFactor::DEFAULT)
}

fn at(micros: u64) -> Instant {
    Instant::from_nanos(micros * 1_000)
}

/// How a node is read: after a pause, with so long a way there and back, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Read {
    pause: u64,
    there: u64,
    back: u64,
}

fn way() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 30..2_000_u64, 1 => 0..500_000_u64]
}

fn read() -> impl Strategy<Value = Read> {
    let pause = prop_oneof![4 => 0..50_000_u64, 4 => 0..3_000_000_u64, 1 => 0..90_000_000_u64];
    (pause, way(), way()).prop_map(|(pause, there, back)| Read { pause, there, back })
}

/// Reads a node whose clock shows `node_time` of our time, in microseconds; returns when the answer came.
fn take(clocks: &mut Clocks, node: usize, now: u64, read: Read, node_time: impl Fn(u64) -> i64) -> u64 {
    let sent = now + read.pause;
    let (there, back) = (sent + read.there, sent + read.there + read.back);
    let reading = ClockReading::new(u64::try_from(node_time(there)).unwrap(), at(sent), at(back));
    clocks.observe(node, reading.least, reading.most, reading.taken);
    back
}

fn steady(time: u64) -> i64 {
    time as i64 + OFFSET
}

const QUICK: Read = Read { pause: 1_000_000, there: 200, back: 200 };

/// All nodes are read every second, for so long.
fn watched(nodes: usize, seconds: u64) -> (Clocks, u64) {
    let (mut clocks, mut now) = (clocks(nodes), START);
    for _ in 0..seconds {
        let sent = now;
        (0..nodes).for_each(|node| now = take(&mut clocks, node, sent, QUICK, steady));
    }
    (clocks, now)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn an_honest_clock_is_never_blamed(
        rate_ppm in -9_900..9_900_i64,
        reads in prop::collection::vec(read(), 1..200),
    ) {
        let (mut clocks, mut now) = (clocks(1), START);
        let honest = |time: u64| steady(time) + (time - START) as i64 * rate_ppm / 1_000_000;
        for read in reads {
            now = take(&mut clocks, 0, now, read, honest);
            prop_assert_eq!(clocks.culprit(at(now)), Culprit::None);
        }
    }

    #[test]
    fn a_clock_that_is_set_by_more_than_budget_and_doubt_is_noticed_with_the_next_reading(
        pause in 0..29_000_000_u64,
        (there, back) in (way(), way()),
        beyond in 1_000..100_000_000_i64,
        forward in any::<bool>(),
    ) {
        let (mut clocks, now) = watched(1, 60);
        prop_assert_eq!(clocks.trust(0, at(now)), Trust::Trusted);
        let explained = (pause + there + back + 1_000) / 100 + ASIDE;
        let by = (explained + there + back + 400) as i64 + beyond;
        let jumped = |time: u64| steady(time) + if forward { by } else { -by };
        let now = take(&mut clocks, 0, now, Read { pause, there, back }, jumped);
        prop_assert!(matches!(clocks.trust(0, at(now)), Trust::Moved(moved) if (moved.by > 0) == forward));
    }

    /// When a vote is counted, so much time has passed since it was cast that the lock which the node forgot has ended.
    #[test]
    fn a_vote_that_counts_comes_too_late_to_harm(
        pause in 0..1_000_000_u64,
        (there, back) in (way(), way()),
        by in 0..1_500_000_i64,
    ) {
        // The others are elsewhere, so that only the watch speaks for this one.
        let (mut clocks, mut now) = (clocks(3), START);
        for _ in 0..60 {
            let sent = now;
            for node in 0..3_u32 {
                let own = |time: u64| steady(time) + 5_000_000 * i64::from(node);
                now = take(&mut clocks, node as usize, sent, QUICK, own);
            }
        }
        let jumped = |time: u64| steady(time) + by;
        let now = take(&mut clocks, 0, now, Read { pause, there, back }, jumped);
        if clocks.trust(0, at(now)) == Trust::Trusted {
            prop_assert!(by <= ASIDE as i64 + back as i64 + 1_000, "{by} {back}");
        }
    }
}

#[test]
fn a_busy_client_keeps_its_history() {
    let (mut clocks, mut now) = (clocks(1), START);
    // A thousand readings a second, and a clock that gains 200 ppm.
    for _ in 0..40_000 {
        let read = Read { pause: 1_000, there: 20, back: 20 };
        now = take(&mut clocks, 0, now, read, |time| steady(time) + (time - START) as i64 / 5_000);
    }
    clocks.forget_all(at(now - 31_000_000));
    for _ in 0..31_000 {
        let read = Read { pause: 1_000, there: 20, back: 20 };
        now = take(&mut clocks, 0, now, read, |time| steady(time) + (time - START) as i64 / 5_000);
    }
    assert_eq!(clocks.trust(0, at(now)), Trust::Trusted);
}

#[test]
fn clocks_that_differ_by_a_second_each_are_trusted_once_they_were_watched() {
    let (mut clocks, mut now) = (clocks(5), START);
    for second in 0..40 {
        let sent = now;
        for node in 0..5_u32 {
            let own = |time: u64| steady(time) + 1_000_000 * i64::from(node);
            now = take(&mut clocks, node as usize, sent, QUICK, own);
        }
        let trusted = (0..5).filter(|&node| clocks.trust(node, at(now)) == Trust::Trusted).count();
        assert!(trusted == 1 || second >= 29, "{second}: {trusted}");
        assert!(trusted == 5 || second <= 30, "{second}: {trusted}");
    }
}

/// So many of these nodes' clocks are set, each in its direction, and all are read on for `seconds`.
fn after_moves(nodes: usize, moves: &[i64], seconds: u64) -> (Clocks, u64) {
    let (mut clocks, mut now) = watched(nodes, 60);
    for _ in 0..seconds {
        let sent = now;
        for node in 0..nodes {
            let by = moves.get(node).copied().unwrap_or(0);
            now = take(&mut clocks, node, sent, QUICK, |time| steady(time) + by);
        }
    }
    (clocks, now)
}

#[test]
fn a_move_that_cannot_be_explained_is_over_when_nothing_is_held_any_more_from_before() {
    let minute = 60_000_000;
    for (nodes, moves) in [
        (2, &[minute][..]),
        (4, &[minute, minute]),
        (5, &[minute, 2 * minute, -minute]),
        (3, &[minute, -minute]),
    ] {
        let (clocks, now) = after_moves(nodes, moves, 5);
        assert_eq!(clocks.culprit(at(now)), Culprit::Undecided, "{nodes} {moves:?}");
        let (mut clocks, now) = after_moves(nodes, moves, 32);
        let Culprit::Past(past) = clocks.culprit(at(now)) else { panic!("{nodes} {moves:?}") };
        assert_eq!(past.len(), moves.len());
        past.into_iter().for_each(|(node, _)| clocks.forget(node, at(now - 30_000_000)));
        let trusted = (0..nodes).filter(|&node| clocks.trust(node, at(now)) == Trust::Trusted).count();
        assert_eq!(trusted, nodes, "watched for long enough since");
    }
}

#[test]
fn the_only_node_and_two_of_two_that_move_mean_that_our_clock_is_wrong() {
    for (nodes, moves) in [(1, &[60_000_000][..]), (2, &[60_000_000, 1_000_000])] {
        let (clocks, now) = after_moves(nodes, moves, 1);
        assert_eq!(clocks.culprit(at(now)), Culprit::Own);
    }
}

#[test]
fn an_answer_from_before_a_pause_of_ours_does_not_blame_the_node_that_answers_after_it() {
    let (mut clocks, now) = watched(5, 60);
    // Our clock has stood still for a minute; one node is asked behind it, the others' answers were waiting.
    let behind = |time: u64| steady(time) + 60_000_000;
    let noticed = take(&mut clocks, 0, now, Read { pause: 0, there: 100, back: 100 }, behind);
    let waiting = Read { pause: 0, there: 100, back: noticed - now };
    for node in 1..5 {
        take(&mut clocks, node, now, waiting, steady);
    }
    assert_eq!(clocks.culprit(at(noticed + 100)), Culprit::Undecided);
    for node in 1..3 {
        take(&mut clocks, node, noticed + 200, Read { pause: 0, there: 100, back: 100 }, behind);
    }
    assert_eq!(clocks.culprit(at(noticed + 400)), Culprit::Own);
}
