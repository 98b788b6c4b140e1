//! A holder learns that it has lost its lock, in time.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{Held, Instant, LockState, LostReason};
use redlock_tests::support::{Lateness, assert_no_key_is_left, connect, eventually};

use crate::{Failure, first};

const TTL: Duration = Duration::from_secs(2);
const MARGIN: Duration = Duration::from_millis(700);

/// Runs `watch` on a thread of its own; says what it returned, and when.
fn watch<T: Send + 'static>(
    held: Held,
    watch: impl FnOnce(Held) -> T + Send + 'static,
) -> thread::JoinHandle<(T, Instant)> {
    thread::spawn(move || {
        let result = watch(held);
        (result, Instant::now())
    })
}

/// Every state from the present one on, up to the loss.
fn states_until_lost(held: Held) -> Vec<LockState> {
    let mut states = vec![held.state()];
    while !matches!(states.last(), Some(LockState::Lost(_))) {
        states.push(block_on(held.state_changed_from(states[states.len() - 1])));
    }
    states
}

fn loss_is_reported_without_three(failure: Failure) {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").ttl(TTL).acquire()).unwrap();
    let lateness = Lateness::start();
    let lost = watch(guard.held(), |held| block_on(held.lost()));
    let at_risk = watch(guard.held(), |held| block_on(held.at_risk(MARGIN)));
    let states = watch(guard.held(), states_until_lost);
    let silent = first(&fleet, 3);
    failure.strike(&silent);

    let (reason, lost_at) = lost.join().unwrap();
    let valid_until = guard.valid_until();
    assert!(!guard.is_valid(), "it must not be believed after lost() has fired");
    assert_eq!(reason, Some(LostReason::Expired));
    let (late, allowance) = (lost_at.saturating_since(valid_until), lateness.allowance());
    assert!(late <= allowance, "{late:?} too late; {allowance:?} would be the machine's own");
    failure.assert_lasts(&silent);

    let (_, at_risk_at) = at_risk.join().unwrap();
    assert!(at_risk_at < valid_until, "the warning must come while there is time left");
    let (states, _) = states.join().unwrap();
    let expected =
        [LockState::Held, LockState::Suspect { until: valid_until }, LockState::Lost(LostReason::Expired)];
    assert_eq!(states, expected);

    drop(guard);
    failure.heal(&silent);
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_loss_is_reported_by_the_end_of_the_validity_while_three_of_five_are_killed() {
    loss_is_reported_without_three(Failure::Killed);
}

#[test]
fn a_loss_is_reported_by_the_end_of_the_validity_while_three_of_five_never_answer() {
    loss_is_reported_without_three(Failure::Hung);
}

#[test]
fn every_look_agrees_with_the_clock_while_three_of_five_never_answer() {
    /// By how much a loss may be told ahead.
    const LEAD: Duration = Duration::from_millis(1);
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").ttl(TTL / 2).acquire()).unwrap();
    let silent = first(&fleet, 3);
    Failure::Hung.strike(&silent);
    let told = watch(guard.held(), |held| block_on(held.lost()));
    let (mut valid, mut invalid) = (0, 0);
    while invalid < 1_000 {
        let (before, until_before) = (Instant::now(), guard.valid_until());
        if guard.is_valid() {
            assert!(before < guard.valid_until(), "believed after its end");
            assert_eq!(invalid, 0, "what is lost stays lost");
            valid += 1;
        } else {
            assert!(Instant::now().saturating_add(LEAD) >= until_before, "given up before its time");
            invalid += 1;
        }
        thread::yield_now();
    }
    assert!(valid > 0);
    assert_eq!(told.join().unwrap().0, Some(LostReason::Expired));
    drop(guard);
    Failure::Hung.heal(&silent);
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_suspect_lock_is_held_again_when_the_nodes_come_back_in_time() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    // A renewal that meets silence is given up after half a second, long before the end of the validity.
    let guard = block_on(locks.lock("a").ttl(Duration::from_secs(15)).acquire()).unwrap();
    let silent = first(&fleet, 3);
    Failure::Hung.strike(&silent);
    eventually("renewal fails", || matches!(guard.state(), LockState::Suspect { .. }));
    assert!(guard.is_valid());
    let before = guard.valid_until();
    Failure::Hung.heal(&silent);
    eventually("renewal goes well again", || guard.state() == LockState::Held);
    assert!(guard.valid_until() > before);
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_majority_that_has_lost_its_keys_ends_the_hold_at_once() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").ttl(Duration::from_secs(6)).acquire()).unwrap();
    for server in first(&fleet, 3) {
        server.command(&["FLUSHALL"]).unwrap();
    }
    assert_eq!(block_on(guard.lost()), Some(LostReason::Missing));
    assert!(Instant::now() < guard.valid_until(), "nobody waited for the end of the validity");
    assert!(!guard.is_valid());
    assert_no_key_is_left(&fleet);
}

#[test]
fn another_owner_on_a_majority_ends_the_hold_at_once_and_keeps_its_keys() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").ttl(Duration::from_secs(6)).acquire()).unwrap();
    for server in first(&fleet, 3) {
        server.command(&["SET", "redlock:a", "theirs", "PX", "60000"]).unwrap();
    }
    assert_eq!(block_on(guard.lost()), Some(LostReason::Superseded));
    assert!(Instant::now() < guard.valid_until(), "nobody waited for the end of the validity");
    assert!(!guard.is_valid());
    drop(guard);
    eventually("our keys are gone", || {
        fleet.iter().skip(3).all(|server| redlock_tests::support::lock_keys(server).is_empty())
    });
    for server in first(&fleet, 3) {
        assert_eq!(server.command(&["GET", "redlock:a"]).unwrap().text(), Some("theirs"));
        server.command(&["DEL", "redlock:a"]).unwrap();
    }
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_minority_that_has_lost_its_keys_does_not_end_the_hold() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    for server in first(&fleet, 2) {
        server.command(&["FLUSHALL"]).unwrap();
    }
    block_on(guard.extend()).unwrap();
    assert_eq!(guard.state(), LockState::Held);
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}
