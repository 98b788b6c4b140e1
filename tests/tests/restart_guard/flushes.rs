//! Servers that are flushed while somebody holds a lock.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::RedisServer;
use redlock_tests::support::{LIMIT, eventually};

use super::{builder_of, start};
use redlock_tests::rivals::{Guarded, gets_in, two_hold};

/// Renewed so often that a holder keeps its lock on a busy machine too.
const TTL: Duration = Duration::from_secs(3);

fn flush(server: &RedisServer) {
    server.command(&["FLUSHALL"]).unwrap();
}

/// Longer ago than any quarantine is long.
fn wait_for_uptime(server: &RedisServer, at_least: Duration) {
    eventually("the process is old enough", || {
        let info = server.command(&["INFO", "server"]).unwrap();
        let info = info.text().unwrap();
        let uptime = info.lines().find_map(|line| line.strip_prefix("uptime_in_seconds:")).unwrap();
        uptime.trim().parse::<u64>().unwrap() > at_least.as_secs()
    });
}

#[test]
fn flushed_nodes_grant_nothing_that_is_held_and_are_given_the_lock_back() {
    let fleet = start(5);
    let builder = || builder_of(fleet.urls(), TTL);
    let locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    fleet.iter().take(2).for_each(flush);
    eventually("the lock is back everywhere", || {
        assert!(!matches!(block_on(other.lock("a").try_acquire()), Ok(Some(_))) || !guard.is_valid());
        fleet.iter().all(|server| server.lock_keys().unwrap().len() == 1)
    });
    assert!(guard.is_valid());
    block_on(guard.release()).unwrap();
    drop(block_on(other.lock("a").wait_at_most(LIMIT).acquire()).unwrap());
}

#[test]
fn a_flush_of_a_majority_never_makes_two_holders_and_everything_works_again() {
    for flushed in [3, 5] {
        let fleet = start(5);
        let builder = || builder_of(fleet.urls(), TTL);
        let locks = block_on(builder().init()).unwrap();
        let other = block_on(builder().build()).unwrap();
        let guard = block_on(locks.lock("a").acquire()).unwrap();
        fleet.iter().take(flushed).for_each(flush);
        eventually("the lock is back everywhere, or lost", || {
            let rival = block_on(other.lock("a").try_acquire());
            assert!(!matches!(rival, Ok(Some(rival)) if guard.is_valid() && rival.is_valid()));
            !guard.is_valid() || fleet.iter().all(|server| server.lock_keys().unwrap().len() == 1)
        });
        let token = guard.fencing_token();
        drop(guard);
        let next = block_on(other.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
        assert!(next.fencing_token() > token);
    }
}

#[test]
fn without_the_marker_check_flushed_nodes_grant_what_is_held() {
    let fleet = start(3);
    let flush_two = || fleet.iter().take(2).for_each(flush);
    assert!(two_hold(Guarded::Without("marker_check"), &fleet.urls(), flush_two));
}

#[test]
fn two_flushes_in_a_row_make_the_quarantine_begin_anew() {
    let fleet = start(3);
    let urls = fleet.urls();
    assert!(!two_hold(Guarded::Fully, &urls, || {
        fleet.iter().take(2).for_each(flush);
        std::thread::sleep(Duration::from_millis(300));
        fleet.iter().skip(1).for_each(flush);
    }));
}

/// Whether two hold the lock after processes that have run for longer than a quarantine have been flushed.
fn two_hold_after_a_flush(guarded: Guarded) -> bool {
    const LONGEST: Duration = Duration::from_secs(5);
    let fleet = start(3);
    let builder = || guarded.builder(fleet.urls()).ttl(LONGEST).max_ttl(LONGEST);
    let locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    fleet.iter().for_each(|server| wait_for_uptime(server, LONGEST));
    let guard = redlock_tests::rivals::hold(&locks);
    fleet.iter().take(2).for_each(flush);
    assert!(guard.is_valid(), "the machine is too slow for this test");
    gets_in(&guard, &other)
}

#[test]
fn an_old_process_that_is_flushed_sits_out_the_whole_quarantine() {
    assert!(!two_hold_after_a_flush(Guarded::Fully));
}

#[test]
fn counted_from_the_start_of_the_process_the_quarantine_of_a_flushed_one_is_over_at_once() {
    assert!(two_hold_after_a_flush(Guarded::Without("quarantine_from_marker")));
}
