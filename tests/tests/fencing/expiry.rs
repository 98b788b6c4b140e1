//! How long a counter is kept.

use std::time::Duration;

use redlock::node::{Fence, Raise};
use redlock_tests::support::eventually;

use crate::{COUNTER, HOUR, MINUTE, RETENTION, Single, exists, granted, one};

/// What a counter is kept for beyond all else: a hint may be a second late, and a counter is taken for a second ahead.
const SLACK: i64 = 2_000;

/// What a server may have taken between a command and a look at what is left, in milliseconds.
const LATE: i64 = 30_000;

#[track_caller]
fn assert_about(pttl: i64, expected: i64) {
    assert!((expected - LATE..=expected + SLACK + 1).contains(&pttl), "{pttl} instead of {expected}");
}

#[test]
fn a_counter_is_kept_for_the_ttl_and_the_retention_from_its_last_use() {
    let single = Single::start();
    granted(single.acquire(1, one(single.now())));
    assert_about(single.counter_pttl(), 660_000);
    granted(single.extend(1, MINUTE * 5, Raise::new(1, RETENTION)));
    assert_about(single.counter_pttl(), 900_000);
    let value = single.counter();
    single.release(1);
    assert_about(single.counter_pttl(), 900_000);
    assert_eq!(single.counter(), value, "a release leaves it alone");
    granted(single.acquire(2, one(single.now())));
    granted(single.raise(2, Raise::new(1, RETENTION * 2)));
    assert_about(single.counter_pttl(), 1_260_000);
}

#[test]
fn a_counter_ahead_of_the_time_is_kept_for_that_long_too() {
    let single = Single::start();
    granted(single.acquire(1, Fence::new(single.now(), HOUR, RETENTION)));
    assert_about(single.counter_pttl(), 660_000 + 3_600_000);
}

#[test]
fn a_counter_that_has_expired_is_followed_by_a_greater_one() {
    let single = Single::start();
    let shortest = |hint| Some(Fence::new(hint, 1, Duration::from_millis(1)));
    for (ahead, late) in [(u64::MAX, 0), (single.now(), single.now())] {
        let earlier = granted(single.acquire_for(Duration::from_millis(10), 1, shortest(ahead)));
        eventually("the counter has expired", || !exists(&single.server, COUNTER));
        let later = granted(single.acquire_for(Duration::from_millis(10), 2, shortest(late)));
        assert!(later > earlier, "{later} follows {earlier}");
        eventually("both have expired", || single.server.keys().unwrap().is_empty());
    }
}
