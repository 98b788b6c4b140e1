//! A quorum of clocks jumps together: it may as well be our own that is wrong.

use futures::executor::block_on;
use redlock::testing::servers::RedisServer;
use redlock::{Locks, LostReason};
use redlock_tests::rivals::{Guarded, HELD_FOR, gets_in, hold};
use redlock_tests::support::{LIMIT, eventually};

use super::{TTL, builder, start, step_back, step_forward, wait_for_baselines};

/// Whether two hold the lock after this many clocks of five jump together, where both clients know what they were.
fn two_hold_after_a_jump(guarded: Guarded, jumping: usize) -> bool {
    let fleet = start(5);
    // Locks may be held for longer than clocks are watched, where nobody watches them.
    let builder = || guarded.builder(fleet.urls()).max_ttl(HELD_FOR * 3).ttl(HELD_FOR * 3);
    let locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    let guard = hold(&locks);
    fleet.iter().take(jumping).for_each(step_forward);
    gets_in(&guard, &other)
}

#[test]
fn a_quorum_that_jumps_together_makes_no_second_holder() {
    assert!(!two_hold_after_a_jump(Guarded::Fully, 3));
    assert!(!two_hold_after_a_jump(Guarded::Fully, 5));
}

#[test]
fn without_the_watch_over_clocks_a_quorum_that_jumps_makes_two_holders() {
    assert!(two_hold_after_a_jump(Guarded::Without("clock_guard"), 3));
}

#[test]
fn without_the_doubt_about_our_own_clock_a_quorum_that_jumps_makes_two_holders() {
    assert!(two_hold_after_a_jump(Guarded::Without("own_clock"), 5));
}

/// What a jump of this kind does to two clients: the first one holds a lock.
#[track_caller]
fn is_given_up(step: fn(&RedisServer)) {
    let fleet = start(5);
    // A renewal that is missed on a busy machine would be another reason.
    let longest = 2 * TTL;
    let builder = || builder(&fleet).ttl(longest).max_ttl(longest);
    let locks: Locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    wait_for_baselines(longest);
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let held = guard.held();
    fleet.iter().for_each(step);
    eventually("the lock is given up", || !held.is_valid());
    assert_eq!(block_on(held.lost()), Some(LostReason::ClockMoved));
    drop(guard);
    for locks in [&locks, &other] {
        let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
        assert!(guard.fencing_token() > held.fencing_token());
        block_on(guard.release()).unwrap();
    }
    // And stays so.
    let guard = block_on(locks.lock("b").acquire()).unwrap();
    let end = guard.valid_until();
    eventually("it is renewed", || guard.valid_until() > end.saturating_add(longest) || !guard.is_valid());
    assert!(guard.is_valid());
}

#[test]
fn a_holder_gives_up_its_locks_when_all_clocks_jump_forward() {
    is_given_up(step_forward);
}

#[test]
fn a_holder_gives_up_its_locks_when_all_clocks_jump_back() {
    is_given_up(step_back);
}
