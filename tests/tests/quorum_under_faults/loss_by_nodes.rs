//! What a holder is told when the nodes no longer have its keys: at the next look at them, long before the validity ends.

use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{ExtendError, LockGuard, LockState, LostReason, ReleaseError};
use redlock_tests::support::{assert_no_key_is_left, connect, eventually, servers_with};

const KEY: &str = "redlock:a";

/// How somebody else damages a lock.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// The key is deleted.
    Deleted,
    /// Another value is written over it.
    Overwritten,
    /// It is made to expire at once.
    Expired,
}

impl Damage {
    fn strike(self, server: &RedisServer) {
        let reply = match self {
            Self::Deleted => server.command(&["DEL", KEY]),
            Self::Overwritten => server.command(&["SET", KEY, "theirs", "PX", "600000"]),
            Self::Expired => server.command(&["PEXPIRE", KEY, "0"]),
        };
        let _ = reply.unwrap();
    }
}

/// A lock that is not renewed while a test runs, on all five servers.
fn held(fleet: &RedisFleet) -> LockGuard {
    let guard = block_on(connect(fleet).lock("a").acquire()).unwrap();
    eventually("all five servers have the key", || servers_with(fleet, KEY) == 5);
    guard
}

/// Damages the lock on the first servers, one each, and has it extended.
fn extended_after(fleet: &RedisFleet, guard: &LockGuard, damages: &[Damage]) -> Result<(), ExtendError> {
    damages.iter().zip(fleet).for_each(|(damage, server)| damage.strike(server));
    assert_eq!(guard.state(), LockState::Held, "nobody has looked at the nodes since");
    block_on(guard.extend()).map(drop)
}

fn remove_what_was_written(fleet: &RedisFleet) {
    for server in fleet {
        if server.command(&["GET", KEY]).unwrap().text() == Some("theirs") {
            server.command(&["DEL", KEY]).unwrap();
        }
    }
}

/// A majority does not have the lock any more; an extension says so, and all who watch are told. (To nodes whose vote the
/// holder has not seen yet, two at most, the extension gives the key back.)
#[track_caller]
fn assert_lost(damages: &[Damage], expected: LostReason) {
    let fleet = RedisFleet::start(5).unwrap();
    let guard = held(&fleet);
    let error = extended_after(&fleet, &guard, damages).unwrap_err();
    assert!(matches!(error, ExtendError::Lost(reason) if reason == expected), "{damages:?}: {error}");
    assert!(!guard.is_valid());
    assert_eq!(guard.remaining(), Duration::ZERO);
    assert_eq!(guard.state(), LockState::Lost(expected));
    assert_eq!(guard.lost().now_or_never(), Some(Some(expected)));
    assert_eq!(guard.at_risk(Duration::ZERO).now_or_never(), Some(()));
    let error = block_on(guard.extend()).unwrap_err();
    assert!(
        matches!(error, ExtendError::Lost(reason) if reason == expected),
        "what is lost stays lost: {error}"
    );
    let error = block_on(guard.release()).unwrap_err();
    assert!(
        matches!(error, ReleaseError::NotHeld { reason: Some(reason), .. } if reason == expected),
        "{error}"
    );
    eventually("only what others have written is left", || {
        let others = damages.iter().filter(|damage| matches!(damage, Damage::Overwritten)).count();
        servers_with(&fleet, KEY) == others
    });
    remove_what_was_written(&fleet);
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_lock_whose_keys_a_majority_has_overwritten_is_superseded() {
    assert_lost(&[Damage::Overwritten; 3], LostReason::Superseded);
    assert_lost(&[Damage::Overwritten; 5], LostReason::Superseded);
}

#[test]
fn a_lock_whose_keys_are_gone_from_a_majority_is_missing() {
    assert_lost(&[Damage::Deleted; 5], LostReason::Missing);
    assert_lost(&[Damage::Expired; 5], LostReason::Missing);
}

#[test]
fn a_lock_that_a_majority_does_not_have_but_no_majority_names_another_owner_of_is_missing() {
    use Damage::{Deleted, Overwritten};
    assert_lost(&[Overwritten, Overwritten, Deleted, Deleted, Deleted], LostReason::Missing);
}

#[test]
fn what_becomes_of_a_minority_of_the_keys_does_not_end_the_hold() {
    for damages in [[Damage::Overwritten; 2], [Damage::Deleted; 2], [Damage::Deleted, Damage::Overwritten]] {
        let fleet = RedisFleet::start(5).unwrap();
        let guard = held(&fleet);
        extended_after(&fleet, &guard, &damages).unwrap();
        assert_eq!(guard.state(), LockState::Held, "{damages:?}");
        assert_eq!(guard.lost().now_or_never(), None);
        block_on(guard.release()).unwrap();
        remove_what_was_written(&fleet);
        assert_no_key_is_left(&fleet);
    }
}
