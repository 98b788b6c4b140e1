//! A minority of clocks is wrong.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::{ClockStep, RedisFleet, RedisServer};
use redlock_tests::rivals::{Guarded, gets_in, hold, two_hold};
use redlock_tests::support::{LIMIT, eventually};

use super::{
    MINUTE, SLEW, TTL, builder, connect, is_admitted, marker, start, step_back, step_forward, take_away,
    wait_for_baselines,
};

/// Whether two hold the lock when one of three nodes did not vote, and this happens to the clock of another.
fn two_hold_after(guarded: Guarded, happens: impl FnOnce(&RedisServer)) -> bool {
    let fleet = start(3);
    two_hold(guarded, &fleet.urls(), || {
        take_away(fleet.server(2));
        happens(fleet.server(0));
    })
}

#[test]
fn a_clock_that_is_set_forward_expires_a_lock_and_nobody_gets_it() {
    assert!(!two_hold_after(Guarded::Fully, step_forward));
}

#[test]
fn without_the_watch_over_clocks_one_that_is_set_forward_makes_two_holders() {
    // On a machine that is too busy nobody may be there in time.
    for guarded in [Guarded::Without("clock_guard"), Guarded::Not] {
        assert!((0..3).any(|_| two_hold_after(guarded, step_forward)));
    }
}

#[test]
fn a_clock_that_is_set_back_makes_no_second_holder() {
    assert!(!two_hold_after(Guarded::Fully, step_back));
}

/// Whether two hold the lock when the clock of a node gains 8 % meanwhile.
fn two_hold_under_a_slew(guarded: Guarded) -> bool {
    const LONGEST: Duration = Duration::from_secs(8);
    let fleet = start(3);
    let builder = || guarded.builder(fleet.urls()).ttl(LONGEST).max_ttl(LONGEST);
    let locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    let guard = hold(&locks);
    take_away(fleet.server(2));
    fleet.server(0).slew_clock(SLEW).unwrap();
    gets_in(&guard, &other)
}

#[test]
fn a_clock_that_is_slewed_forward_makes_no_second_holder() {
    assert!(!two_hold_under_a_slew(Guarded::Fully));
}

#[test]
fn without_the_watch_over_clocks_one_that_is_slewed_makes_two_holders() {
    assert!(two_hold_under_a_slew(Guarded::Without("clock_guard")));
}

#[test]
fn two_clocks_of_five_that_are_set_forward_make_no_second_holder() {
    let fleet = start(5);
    assert!(!two_hold(Guarded::Fully, &fleet.urls(), || {
        take_away(fleet.server(2));
        fleet.iter().take(2).for_each(step_forward);
    }));
}

#[test]
fn without_the_watch_over_clocks_two_of_five_make_two_holders() {
    let fleet = start(5);
    assert!(two_hold(Guarded::Without("clock_guard"), &fleet.urls(), || {
        take_away(fleet.server(2));
        fleet.iter().take(2).for_each(step_forward);
    }));
}

#[test]
fn a_node_whose_clock_was_set_forward_is_in_quarantine_for_every_client() {
    let fleet = start(3);
    let locks = connect(&fleet);
    let before = marker(&locks, 0).unwrap().incarnation;
    let other = block_on(builder(&fleet).build()).unwrap();
    step_forward(fleet.server(0));
    eventually("it has another memory", || {
        marker(&other, 0).is_some_and(|marker| marker.incarnation != before)
    });
    let fresh = block_on(builder(&fleet).build()).unwrap();
    let quarantined = marker(&fresh, 0).unwrap();
    assert_ne!(quarantined.incarnation, before);
    eventually("the quarantine ends", || [&locks, &other, &fresh].iter().all(|locks| is_admitted(locks, 0)));
}

/// A holder on five nodes, of whose clocks a minority goes wrong and right again; the lock is held all the time, by renewal.
fn holds_on(goes_wrong: impl Fn(&RedisFleet), goes_right: impl Fn(&RedisFleet)) {
    // Renewals must get through on a busy machine too.
    let fleet = start(5);
    let longest = 2 * TTL;
    let builder = || builder(&fleet).ttl(longest).max_ttl(longest);
    let locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    for change in [&goes_wrong as &dyn Fn(&RedisFleet), &goes_right] {
        change(&fleet);
        let begun = guard.valid_until();
        eventually("it is renewed for as long as everything that was held before", || {
            let rival = block_on(other.lock("a").try_acquire());
            assert!(!matches!(rival, Ok(Some(_))) || !guard.is_valid());
            guard.valid_until() > begun.saturating_add(longest) || !guard.is_valid()
        });
        assert!(guard.is_valid(), "{:?}", guard.state());
    }
    let token = guard.fencing_token();
    block_on(guard.release()).unwrap();
    let next = block_on(other.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    assert!(next.fencing_token() > token);
    eventually("every node counts again", || (0..5).all(|node| is_admitted(&locks, node)));
}

#[test]
fn a_holder_is_not_disturbed_by_one_clock_that_is_set_forward() {
    holds_on(|fleet| step_forward(fleet.server(1)), |fleet| step_back(fleet.server(1)));
}

#[test]
fn a_holder_is_not_disturbed_by_one_clock_that_is_set_back() {
    holds_on(|fleet| step_back(fleet.server(1)), |fleet| step_forward(fleet.server(1)));
}

#[test]
fn a_holder_is_not_disturbed_by_two_clocks_that_are_set() {
    let two = |fleet: &RedisFleet, step: fn(&RedisServer)| fleet.iter().skip(1).take(2).for_each(step);
    holds_on(|fleet| two(fleet, step_forward), |fleet| two(fleet, step_back));
}

#[test]
fn a_holder_is_not_disturbed_by_two_clocks_that_are_set_apart() {
    holds_on(
        |fleet| {
            step_forward(fleet.server(1));
            step_back(fleet.server(2));
        },
        |fleet| {
            step_back(fleet.server(1));
            step_forward(fleet.server(2));
        },
    );
}

#[test]
fn a_holder_is_not_disturbed_by_clocks_that_are_slewed() {
    let slew = |fleet: &RedisFleet, rates: [i32; 2]| {
        fleet.server(1).slew_clock(rates[0]).unwrap();
        fleet.server(2).slew_clock(rates[1]).unwrap();
    };
    holds_on(|fleet| slew(fleet, [SLEW, -SLEW]), |fleet| slew(fleet, [0, 0]));
}

#[test]
fn a_node_whose_clock_was_set_counts_again_when_all_that_was_held_has_ended() {
    for step in [step_forward, step_back] {
        let fleet = start(3);
        let locks = connect(&fleet);
        let before = marker(&locks, 0);
        wait_for_baselines(TTL);
        step(fleet.server(0));
        eventually("it is noticed", || marker(&locks, 0).is_some() && marker(&locks, 0) != before);
        eventually("it is admitted", || is_admitted(&locks, 0));
        // Now nothing goes without it.
        fleet.server(1).kill();
        let client = block_on(builder(&fleet).start_without_quorum().build()).unwrap();
        for locks in [&locks, &client] {
            let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
            block_on(guard.release()).unwrap();
        }
    }
}

#[test]
fn a_node_that_is_set_back_in_quarantine_does_not_stay_there_for_as_long_as_it_was_set_back() {
    for is_watched in [true, false] {
        let fleet = start(3);
        let builder = || builder(&fleet).ttl(4 * TTL).max_ttl(4 * TTL);
        let locks = block_on(builder().init()).unwrap();
        fleet.server(0).restart().unwrap();
        eventually("it is in quarantine", || marker(&locks, 0).is_some_and(|marker| marker.floor.is_none()));
        let watching = is_watched.then_some(locks);
        fleet.server(0).step_clock(ClockStep::Back(60 * MINUTE)).unwrap();
        let later = block_on(builder().build()).unwrap();
        eventually("the quarantine ends", || is_admitted(&later, 0));
        drop(watching);
    }
}
