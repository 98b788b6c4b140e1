//! Two of five nodes do not answer: nobody waits for them.

use futures::executor::block_on;
use redlock::LockState;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{LONG, assert_no_key_is_left, connect, servers_with};

use crate::{Failure, first};

fn acquire_extend_and_release_without_two(failure: Failure) {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let silent = first(&fleet, 2);
    failure.strike(&silent);

    let guard = block_on(locks.lock("a").acquire()).unwrap();
    assert!(guard.is_valid());
    assert_eq!(servers_with(&fleet, "redlock:a"), 3);
    assert!(block_on(connect(&fleet).lock("a").try_acquire()).unwrap().is_none());

    let before = guard.valid_until();
    assert!(block_on(guard.extend()).unwrap() > before);
    assert_eq!(guard.state(), LockState::Held);

    block_on(guard.release()).unwrap();
    failure.assert_lasts(&silent);

    failure.heal(&silent);
    assert_no_key_is_left(&fleet);
}

#[test]
fn acquire_extend_and_release_return_while_two_of_five_are_killed() {
    acquire_extend_and_release_without_two(Failure::Killed);
}

#[test]
fn acquire_extend_and_release_return_while_two_of_five_never_answer() {
    acquire_extend_and_release_without_two(Failure::Hung);
}

#[test]
fn nodes_that_fail_while_the_lock_is_held_are_not_missed_either() {
    for failure in [Failure::Killed, Failure::Hung] {
        let fleet = RedisFleet::start(5).unwrap();
        let locks = connect(&fleet);
        let guard = block_on(locks.lock("a").ttl(LONG).acquire()).unwrap();
        let silent = first(&fleet, 2);
        failure.strike(&silent);
        block_on(guard.extend()).unwrap();
        block_on(guard.release()).unwrap();
        failure.assert_lasts(&silent);
        failure.heal(&silent);
        assert_no_key_is_left(&fleet);
    }
}
