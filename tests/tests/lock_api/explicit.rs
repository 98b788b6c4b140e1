//! `extend` and `release`, called by the holder.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{ExtendError, LockState, LostReason, ReleaseError};
use redlock_tests::support::{assert_no_key_is_left, connect, eventually};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn an_extension_moves_the_end_of_the_validity_and_of_the_keys() {
    let fleet = RedisFleet::start(5).unwrap();
    let guard = block_on(connect(&fleet).lock("a").ttl(MINUTE).acquire()).unwrap();
    let before = guard.valid_until();
    let left =
        || fleet.iter().map(|server| server.command(&["PTTL", "redlock:a"]).unwrap().integer().unwrap());
    eventually("some of the TTL is used up", || left().all(|left| (0..59_900).contains(&left)));
    let extended = block_on(guard.extend()).unwrap();
    assert!(extended > before);
    assert_eq!(guard.valid_until(), extended);
    assert!(extended.saturating_since(before) < MINUTE, "it counts from now, not from the old end");
    eventually("a majority has the whole TTL again", || left().filter(|left| *left > 59_900).count() >= 3);
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_view_of_a_released_lock_says_so_and_cannot_extend_it() {
    let fleet = RedisFleet::start(5).unwrap();
    let guard = block_on(connect(&fleet).lock("a").acquire()).unwrap();
    let held = guard.held();
    // It takes the guard: a second release does not compile.
    block_on(guard.release()).unwrap();
    assert_eq!(held.state(), LockState::Released);
    assert!(!held.is_valid());
    assert_eq!(held.remaining(), Duration::ZERO);
    assert_eq!(block_on(held.lost()), None);
    let error = block_on(held.extend()).unwrap_err();
    assert!(matches!(error, ExtendError::Released), "{error}");
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_release_after_the_renew_limit_says_that_it_came_too_late() {
    let fleet = RedisFleet::start(5).unwrap();
    let lock = connect(&fleet).lock("a").ttl(Duration::from_secs(1)).renew_at_most(Duration::from_millis(1));
    let guard = block_on(lock.acquire()).unwrap();
    assert_eq!(block_on(guard.lost()), Some(LostReason::RenewLimit));
    assert_eq!(guard.state(), LockState::Lost(LostReason::RenewLimit));
    let error = block_on(guard.extend()).unwrap_err();
    assert!(matches!(error, ExtendError::Lost(LostReason::RenewLimit)), "{error}");
    let error = block_on(guard.release()).unwrap_err();
    assert!(matches!(error, ReleaseError::NotHeld { reason: Some(LostReason::RenewLimit), .. }), "{error}");
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_release_that_finds_no_keys_says_so() {
    let fleet = RedisFleet::start(5).unwrap();
    let guard = block_on(connect(&fleet).lock("a").acquire()).unwrap();
    for server in &fleet {
        server.command(&["FLUSHALL"]).unwrap();
    }
    let error = block_on(guard.release()).unwrap_err();
    assert!(matches!(error, ReleaseError::NotHeld { reason: None, .. }), "{error}");
    assert_no_key_is_left(&fleet);
}
