//! The pauses between rounds.

use std::time::Duration;

use proptest::prelude::*;

use crate::id::Instant;
use crate::quorum::{Backoff, Situation};

const MS: Duration = Duration::from_millis(1);

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..100_000_000_u64).prop_map(Duration::from_nanos),
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
    ]
}

fn situation() -> impl Strategy<Value = Situation> {
    prop_oneof![
        prop::option::of(duration()).prop_map(|remaining| Situation::Held { remaining }),
        Just(Situation::Split),
        Just(Situation::Unreachable),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_pause_is_never_zero_and_never_above_its_bound(
        interval in duration(),
        steps in prop::collection::vec((situation(), any::<u64>()), 1..50),
    ) {
        let mut backoff = Backoff::new(interval);
        for (situation, random) in steps {
            let bound = match situation {
                Situation::Held { remaining: Some(left) } => interval.min(left.saturating_add(MS)),
                Situation::Held { remaining: None } => interval,
                Situation::Split => interval.max(256 * MS),
                Situation::Unreachable => interval.max(500 * MS),
            };
            let pause = backoff.pause(situation, random);
            let bound = bound.max(Duration::from_nanos(1));
            prop_assert!(!pause.is_zero() && pause <= bound, "{:?}: {:?} > {:?}", situation, pause, bound);
        }
    }
}

/// Checks that the next pause is drawn from all of (0, longest], and takes it.
fn takes_any_of(backoff: &mut Backoff, situation: Situation, longest: Duration) {
    let nanos = u64::try_from(longest.as_nanos()).unwrap();
    let pause = |random| backoff.clone().pause(situation, random);
    assert_eq!(pause(0), Duration::from_nanos(1));
    assert_eq!(pause(nanos / 2), Duration::from_nanos(nanos / 2 + 1));
    assert_eq!(pause(nanos - 1), longest);
    assert_eq!(pause(nanos), Duration::from_nanos(1), "nothing lies above {longest:?}");
    backoff.pause(situation, 0);
}

#[test]
fn a_holders_remaining_ttl_caps_the_pause_and_the_interval_does_otherwise() {
    let mut backoff = Backoff::new(20 * MS);
    for (remaining, longest) in
        [(None, 20), (Some(0), 1), (Some(5), 6), (Some(18), 19), (Some(19), 20), (Some(5_000), 20)]
    {
        let remaining = remaining.map(|left| left * MS);
        takes_any_of(&mut backoff, Situation::Held { remaining }, longest * MS);
    }
}

#[test]
fn pauses_after_split_votes_double_and_shrink_again_when_somebody_was_first() {
    let mut backoff = Backoff::new(20 * MS);
    for longest in [1, 2, 4, 8, 16, 32, 64, 128, 256, 256] {
        takes_any_of(&mut backoff, Situation::Split, longest * MS);
    }
    (0..3).for_each(|_| _ = backoff.pause(Situation::Held { remaining: None }, 0));
    takes_any_of(&mut backoff, Situation::Split, 64 * MS);
}

#[test]
fn pauses_double_up_to_half_a_second_while_too_few_nodes_answer() {
    let mut backoff = Backoff::new(20 * MS);
    for longest in [20, 40, 80, 160, 320, 500, 500] {
        takes_any_of(&mut backoff, Situation::Unreachable, longest * MS);
    }
    backoff.pause(Situation::Split, 0);
    takes_any_of(&mut backoff, Situation::Unreachable, 20 * MS);
    let mut slow = Backoff::new(800 * MS);
    (0..2).for_each(|_| takes_any_of(&mut slow, Situation::Unreachable, 800 * MS));
}

#[test]
fn a_hundred_thousand_failures_in_a_row_change_nothing_more() {
    for (situation, longest) in [(Situation::Split, 256), (Situation::Unreachable, 500)] {
        let mut backoff = Backoff::new(20 * MS);
        (0..100_000).for_each(|_| assert!(backoff.pause(situation, u64::MAX) <= longest * MS));
        takes_any_of(&mut backoff, situation, longest * MS);
    }
}

const ROUND: Duration = Duration::from_micros(200);

/// What share of those who are woken now asks at once, and the longest pause of the others.
fn woken(backoff: &Backoff, now: Instant, round: Duration) -> (f64, Duration) {
    let random = |draw: u64| draw.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7;
    let pauses: Vec<_> =
        (0..4_096).map(|draw| backoff.clone().pause_when_woken(now, round, random(draw))).collect();
    let at_once = pauses.iter().filter(|pause| pause.is_zero()).count();
    (at_once as f64 / pauses.len() as f64, pauses.into_iter().max().unwrap())
}

#[test]
fn who_is_woken_asks_at_once_until_votes_split_and_then_about_one_of_all_does() {
    let now = Instant::from_nanos(1 << 40);
    let mut backoff = Backoff::new(20 * MS);
    assert_eq!(woken(&backoff, now, ROUND), (1.0, Duration::ZERO));
    for contenders in [2, 4, 8, 16, 32, 64, 64] {
        backoff.pause(Situation::Split, 0);
        let (at_once, longest) = woken(&backoff, now, ROUND);
        assert!((at_once * f64::from(contenders) - 1.0).abs() < 0.5, "{contenders}: {at_once}");
        // The others come after a round each.
        assert!(longest > ROUND && longest <= ROUND * contenders, "{contenders}: {longest:?}");
    }
    // Each that was first wants it no more, perhaps.
    (0..64 * 4).for_each(|_| _ = backoff.taken_meanwhile(0));
    assert_eq!(woken(&backoff, now, ROUND), (1.0, Duration::ZERO));
}

#[test]
fn those_who_do_not_ask_at_once_leave_the_first_round_to_those_who_do() {
    let now = Instant::from_nanos(1 << 40);
    let mut backoff = Backoff::new(20 * MS);
    (0..3).for_each(|_| _ = backoff.pause(Situation::Split, 0));
    for random in 0..10_000 {
        let pause = backoff.clone().pause_when_woken(now, ROUND, random);
        assert!(pause.is_zero() || pause > ROUND, "{pause:?}");
    }
}

/// So many are woken at the same moment, again and again, until each has had it. Who asks within a round of another splits
/// the votes with him; who comes later finds it taken. Returns the most rounds that anybody took.
fn all_get_it(contenders: usize, seed: u64) -> u32 {
    let mut state = seed;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 20) ^ (state << 40)
    };
    let mut waiting: Vec<_> = (0..contenders).map(|_| (Backoff::new(20 * MS), 0)).collect();
    let (mut now, mut most) = (Instant::from_nanos(1 << 40), 0);
    for _ in 0..100_000 {
        let pauses: Vec<_> =
            waiting.iter_mut().map(|(backoff, _)| backoff.pause_when_woken(now, ROUND, random())).collect();
        let Some(first) = pauses.iter().min().copied() else { return most };
        let together = pauses.iter().filter(|pause| **pause < first + ROUND).count();
        let mut winner = None;
        for (index, (backoff, rounds)) in waiting.iter_mut().enumerate() {
            let asks = pauses[index] < first + ROUND;
            *rounds += u32::from(asks);
            match (asks, together) {
                (true, 1) => winner = Some(index),
                (true, _) => _ = backoff.pause(Situation::Split, random()),
                (false, 1) => _ = backoff.taken_meanwhile(random()),
                // Everybody is woken anew.
                (false, _) => {}
            }
        }
        if let Some(winner) = winner {
            most = most.max(waiting.swap_remove(winner).1);
        }
        now = now.saturating_add(5 * MS);
    }
    panic!("{} of {contenders} are still waiting", waiting.len());
}

#[test]
fn fifty_contenders_whose_votes_split_whenever_two_ask_together_all_get_it_in_a_few_rounds() {
    for contenders in [2, 5, 10, 20, 50] {
        for seed in 0..200 {
            let most = all_get_it(contenders, seed);
            assert!(most <= 20, "{contenders} contenders, seed {seed}: {most} rounds");
        }
    }
}

#[test]
fn a_wake_up_that_cost_no_round_does_not_count() {
    let now = Instant::from_nanos(1 << 40);
    let mut backoff = Backoff::new(20 * MS);
    for _ in 0..1_000 {
        assert!(backoff.pause_when_woken(now, ROUND, 0).is_zero());
        backoff.taken_meanwhile(0);
    }
}

#[test]
fn wake_ups_that_bring_nothing_are_slowed_down_to_the_pace_of_polling_and_no_further() {
    let at = |millis: u64| Instant::from_nanos((1 << 40) + millis * 1_000_000);
    for interval in [20 * MS, 3_600_000 * MS] {
        let mut backoff = Backoff::new(interval);
        let free = (0..100).take_while(|_| backoff.pause_when_woken(at(0), ROUND, 0).is_zero()).count();
        assert_eq!(free, 3);
        assert!(backoff.clone().pause_when_woken(at(0), ROUND, 20 * 1_000_000 - 1) == 20 * MS);
        // As long as wake-ups come no faster than polls, none is slowed down.
        let mut backoff = Backoff::new(interval);
        assert!((0..1_000).all(|wake_up| backoff.pause_when_woken(at(wake_up * 10), ROUND, 0).is_zero()));
    }
}

proptest! {
    #[test]
    fn a_pause_after_a_wake_up_is_never_above_the_interval_nor_20_ms(
        interval in duration(),
        round in duration(),
        steps in prop::collection::vec((any::<bool>(), any::<u64>(), any::<u64>()), 1..50),
    ) {
        let mut backoff = Backoff::new(interval);
        for (split, now, random) in steps {
            if split {
                backoff.pause(Situation::Split, random);
            }
            let pause = backoff.pause_when_woken(Instant::from_nanos(now), round, random);
            prop_assert!(pause <= interval.min(20 * MS).max(Duration::from_nanos(1)), "{:?}", pause);
        }
    }
}
