//! Three of five nodes do not answer: nothing can be held, and nothing hangs.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{AcquireError, ExtendError, NodeVote, ReleaseError};
use redlock_tests::support::{LIMIT, assert_no_key_is_left, connect};

use crate::{Failure, first};

const WAIT: Duration = Duration::from_secs(1);

fn acquire_without_three(failure: Failure) {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let silent = first(&fleet, 3);
    failure.strike(&silent);

    let started = Instant::now();
    let error = block_on(locks.lock("a").wait_at_most(WAIT).acquire()).unwrap_err();
    assert!(started.elapsed() < WAIT + LIMIT, "{:?}", started.elapsed());
    failure.assert_lasts(&silent);

    let text = error.to_string();
    let AcquireError::Unavailable { nodes, attempts, .. } = error else { panic!("{error}") };
    assert!(attempts >= 1);
    assert_eq!(nodes.len(), 5);
    for (server, report) in fleet.iter().zip(&nodes) {
        assert_eq!(*report.node, *server.address());
        assert!(text.contains(&server.address()), "{} is missing: {text}", server.address());
    }
    for report in &nodes[..3] {
        let NodeVote::Failed(error) = &report.vote else { panic!("{report}") };
        assert!(text.contains(&error.detail) && !error.detail.is_empty(), "{text}");
    }
    let error = block_on(locks.lock("b").try_acquire()).unwrap_err();
    assert!(matches!(error, AcquireError::Unavailable { .. }), "{error}");
    failure.heal(&silent);
    assert_no_key_is_left(&fleet);
}

#[test]
fn acquire_fails_in_time_and_names_every_node_while_three_of_five_are_killed() {
    acquire_without_three(Failure::Killed);
}

#[test]
fn acquire_fails_in_time_and_names_every_node_while_three_of_five_never_answer() {
    acquire_without_three(Failure::Hung);
}

fn extend_and_release_without_three(failure: Failure) {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let silent = first(&fleet, 3);
    failure.strike(&silent);

    let valid_until = guard.valid_until();
    let error = block_on(guard.extend()).unwrap_err();
    assert!(matches!(error, ExtendError::Failed { .. }), "{error}");
    assert_eq!(guard.valid_until(), valid_until, "a failed extension changes nothing");
    assert!(guard.is_valid());

    let error = block_on(guard.release()).unwrap_err();
    let ReleaseError::Unconfirmed { nodes, .. } = &error else { panic!("{error}") };
    assert_eq!(nodes.len(), 5);
    failure.assert_lasts(&silent);
    failure.heal(&silent);
    assert_no_key_is_left(&fleet);
}

#[test]
fn extend_and_release_fail_in_time_while_three_of_five_are_killed() {
    extend_and_release_without_three(Failure::Killed);
}

#[test]
fn extend_and_release_fail_in_time_while_three_of_five_never_answer() {
    extend_and_release_without_three(Failure::Hung);
}
