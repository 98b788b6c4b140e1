//! A client that has just started has nothing but the other nodes to compare a clock with.

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock_tests::rivals::{Guarded, two_of};
use redlock_tests::support::{LIMIT, eventually};

use super::{builder, connect, start, step_forward, take_away};

/// Whether two hold the lock when two of five clocks are set forward, one node did not vote, and the other client starts then.
fn two_hold_where_one_starts_late(guarded: Guarded) -> bool {
    let fleet = start(5);
    let builder = || guarded.builder(fleet.urls());
    let locks = block_on(builder().init()).unwrap();
    let late = || block_on(builder().build()).unwrap();
    two_of(&locks, late, || {
        take_away(fleet.server(4));
        fleet.iter().take(2).for_each(step_forward);
    })
}

#[test]
fn a_client_that_starts_late_does_not_get_what_two_clocks_have_expired() {
    assert!(!two_hold_where_one_starts_late(Guarded::Fully));
}

#[test]
fn without_the_watch_over_clocks_a_client_that_starts_late_does() {
    assert!(two_hold_where_one_starts_late(Guarded::Without("clock_guard")));
}

/// Five nodes, so many of which are a minute ahead for good.
fn with_clocks_ahead(count: usize) -> RedisFleet {
    let fleet = start(5);
    fleet.iter().take(count).for_each(step_forward);
    fleet
}

#[test]
fn a_fresh_client_need_not_watch_clocks_of_which_a_quorum_agrees() {
    for ahead in [1, 2] {
        let fleet = with_clocks_ahead(ahead);
        // Nothing that is watched for so long counts before the test ends.
        let locks = block_on(builder(&fleet).max_ttl(4 * LIMIT).init()).unwrap();
        drop(block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap());
    }
}

#[test]
fn the_vote_of_a_clock_that_is_off_counts_once_it_was_watched_for_long_enough() {
    let fleet = with_clocks_ahead(2);
    drop(connect(&fleet));
    fleet.server(4).kill();
    let locks = block_on(builder(&fleet).build()).unwrap();
    let refused = block_on(locks.lock("a").try_acquire()).unwrap_err().to_string();
    assert!(refused.contains("its clock is 60.0s ") && refused.contains("of the median"), "{refused}");
    let mut guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    // It lasts: renewals count as well.
    let end = guard.valid_until();
    eventually("it is renewed", || guard.valid_until() > end || !guard.is_valid());
    assert!(guard.is_valid());
    let token = guard.fencing_token();
    block_on(guard.release()).unwrap();
    guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    assert!(guard.fencing_token() > token);
}
