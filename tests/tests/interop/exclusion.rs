//! Whoever holds a lock keeps the others out, whatever library they use, until it is released or has expired.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{LostReason, ReleaseError};
use redlock_tests::support::{
    LIMIT, assert_no_key_is_left, builder_with_prefix, connect, eventually, servers_with, start_for_prefix,
};

use crate::rivals::Library;

const LONG: Duration = Duration::from_secs(300);
/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(500);

fn excludes_both_ways(library: Library) {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let mut rival = library.lock(&fleet, library.name_of("redlock:a"), LONG);

    let ours = block_on(locks.lock("a").acquire()).unwrap();
    assert!(!rival.try_acquire());
    let token = ours.fencing_token();
    block_on(ours.release()).unwrap();
    assert_no_key_is_left(&fleet);

    assert!(rival.try_acquire());
    eventually("they have the key that we have", || servers_with(&fleet, "redlock:a") == 5);
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none());
    if library != Library::RedlockPy {
        assert!(rival.extend());
        assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none());
    }
    rival.release();
    let ours = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    assert!(ours.fencing_token() > token, "theirs in between does not matter to our tokens");
}

fn leaves_what_came_after_its_expiry_alone(library: Library) {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let mut rival = library.lock(&fleet, library.name_of("redlock:a"), SHORT);

    // Theirs has expired, ours is there.
    assert!(rival.try_acquire());
    let ours = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    assert!(!rival.extend(), "{library:?} extends what it holds no longer");
    rival.release();
    // Not on all of them: theirs need not have expired everywhere at the same moment.
    assert!(servers_with(&fleet, "redlock:a") >= 3, "{library:?} released what is ours");
    block_on(ours.extend()).unwrap();
    block_on(ours.release()).unwrap();

    // Ours has expired, theirs is there.
    let lock = locks.lock("b").ttl(SHORT).renew_at_most(Duration::from_nanos(1));
    let ours = block_on(lock.acquire()).unwrap();
    assert_eq!(block_on(ours.lost()), Some(LostReason::RenewLimit));
    let mut rival = library.lock(&fleet, library.name_of("redlock:b"), LONG);
    eventually("ours has expired on a quorum", || rival.try_acquire());
    let has_it = servers_with(&fleet, "redlock:b");
    assert!(block_on(ours.extend()).is_err());
    assert!(matches!(block_on(ours.release()), Err(ReleaseError::NotHeld { .. })));
    // More than before where their library did not wait for all servers.
    assert!(servers_with(&fleet, "redlock:b") >= has_it, "we released what is theirs");
    assert!(block_on(locks.lock("b").try_acquire()).unwrap().is_none());
}

#[test]
fn rslock_and_ours_exclude_each_other() {
    excludes_both_ways(Library::Rslock);
}

#[test]
fn redlock_py_and_ours_exclude_each_other() {
    excludes_both_ways(Library::RedlockPy);
}

#[test]
fn pottery_and_ours_exclude_each_other() {
    excludes_both_ways(Library::Pottery);
}

#[test]
fn rslock_and_ours_leave_each_others_locks_alone_after_an_expiry() {
    leaves_what_came_after_its_expiry_alone(Library::Rslock);
}

#[test]
fn redlock_py_and_ours_leave_each_others_locks_alone_after_an_expiry() {
    leaves_what_came_after_its_expiry_alone(Library::RedlockPy);
}

#[test]
fn pottery_and_ours_leave_each_others_locks_alone_after_an_expiry() {
    leaves_what_came_after_its_expiry_alone(Library::Pottery);
}

#[test]
fn with_an_empty_prefix_the_key_is_the_name() {
    let fleet = start_for_prefix(3, "");
    let locks = block_on(builder_with_prefix(&fleet, "").build()).unwrap();
    let _ours = block_on(locks.lock("mutex:a").acquire()).unwrap();
    // `mutex:` is what redis-semaphore for Node puts in front of every name.
    let mut rival = Library::Rslock.lock(&fleet, "mutex:a", LONG);
    assert!(!rival.try_acquire());
    assert_eq!(servers_with(&fleet, "mutex:a"), 3);
}
