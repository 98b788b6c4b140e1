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
                Situation::Split => interval.max(MS),
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
fn pauses_after_split_votes_double_up_to_the_interval() {
    let mut backoff = Backoff::new(20 * MS);
    for longest in [1, 2, 4, 8, 16, 20, 20] {
        takes_any_of(&mut backoff, Situation::Split, longest * MS);
    }
    backoff.pause(Situation::Held { remaining: None }, 0);
    takes_any_of(&mut backoff, Situation::Split, MS);
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
    for (situation, longest) in [(Situation::Split, 20), (Situation::Unreachable, 500)] {
        let mut backoff = Backoff::new(20 * MS);
        (0..100_000).for_each(|_| assert!(backoff.pause(situation, u64::MAX) <= longest * MS));
        takes_any_of(&mut backoff, situation, longest * MS);
    }
}

/// The bound of the next pause after a wake-up, which is drawn from all of (0, bound]; 0 if there is none.
fn bound_when_woken(backoff: &Backoff, now: Instant) -> Duration {
    let pause = |random| backoff.clone().pause_when_woken(now, random);
    let least = pause(0);
    let longest = (0..16).map(|shift| pause((MS.as_nanos() as u64) * 20 / 16 * shift)).max().unwrap();
    if longest.is_zero() {
        return longest;
    }
    assert_eq!(least, Duration::from_nanos(1));
    [1, 2, 4, 8, 16, 20].map(|ms| ms * MS).into_iter().find(|bound| longest <= *bound).unwrap()
}

#[test]
fn who_is_woken_asks_at_once_until_votes_split_and_spreads_less_with_every_clean_refusal() {
    let now = Instant::from_nanos(1 << 40);
    let mut backoff = Backoff::new(20 * MS);
    assert_eq!(bound_when_woken(&backoff, now), Duration::ZERO);
    for bound in [1, 2, 4, 8, 16, 20, 20] {
        backoff.pause(Situation::Split, 0);
        assert_eq!(bound_when_woken(&backoff, now), bound * MS);
    }
    for bound in [16, 8, 4, 2, 1, 0, 0] {
        backoff.pause(Situation::Held { remaining: None }, 0);
        assert_eq!(bound_when_woken(&backoff, now), bound * MS);
    }
}

#[test]
fn wake_ups_that_bring_nothing_are_slowed_down_to_the_pace_of_polling_and_no_further() {
    let at = |millis: u64| Instant::from_nanos((1 << 40) + millis * 1_000_000);
    for interval in [20 * MS, 3_600_000 * MS] {
        let mut backoff = Backoff::new(interval);
        let free = (0..100).take_while(|_| backoff.pause_when_woken(at(0), 0).is_zero()).count();
        assert_eq!(free, 3);
        assert_eq!(bound_when_woken(&backoff, at(0)), 20 * MS);
        // As long as wake-ups come no faster than polls, none is slowed down.
        let mut backoff = Backoff::new(interval);
        assert!((0..1_000).all(|wake_up| backoff.pause_when_woken(at(wake_up * 10), 0).is_zero()));
    }
}

proptest! {
    #[test]
    fn a_pause_after_a_wake_up_is_never_above_the_interval_nor_20_ms(
        interval in duration(),
        steps in prop::collection::vec((any::<bool>(), any::<u64>(), any::<u64>()), 1..50),
    ) {
        let mut backoff = Backoff::new(interval);
        for (split, now, random) in steps {
            if split {
                backoff.pause(Situation::Split, random);
            }
            let pause = backoff.pause_when_woken(Instant::from_nanos(now), random);
            prop_assert!(pause <= interval.min(20 * MS).max(Duration::from_nanos(1)), "{:?}", pause);
        }
    }
}
