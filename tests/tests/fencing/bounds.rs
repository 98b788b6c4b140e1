//! Hints that are wrong, counters at their end, and counters that are none.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::node::{Effect, Fence, Node as _, NodeErrorKind, Raise, RefusalReason, Reply};
use redlock::testing::servers::RedisFleet;
use redlock::{AcquireError, FencingToken};
use redlock_tests::support::{connect, eventually};

use crate::{COUNTER, HOUR, LOCK, MINUTE, RETENTION, Single, exists, granted, name, one, stored};

const SECOND: u64 = 1_000_000;

#[test]
fn a_hint_that_is_an_hour_off_is_followed_for_a_second_at_most() {
    for off in [-(HOUR as i64), HOUR as i64, i64::MIN, i64::MAX] {
        let single = Single::start();
        let before = single.now();
        let counter = granted(single.acquire(1, one(before.saturating_add_signed(off))));
        assert!((before - SECOND..=single.now() + SECOND).contains(&counter), "{off}: {counter}, {before}");
        assert_eq!(single.counter(), Some(counter.to_string()));
    }
}

#[test]
fn the_next_token_is_greater_also_for_a_client_whose_hint_is_an_hour_late() {
    let single = Single::start();
    let mut earlier = granted(single.acquire(1, one(u64::MAX)));
    single.release(1);
    for hint in [single.now() - HOUR, 0, single.now(), single.now() + HOUR, 0] {
        let counter = granted(single.acquire(1, one(hint)));
        assert!(counter > earlier, "{hint}");
        earlier = counter;
        single.release(1);
    }
}

#[test]
fn an_acquire_that_is_repeated_counts_once() {
    let single = Single::start();
    let counter = granted(single.acquire(1, one(single.now())));
    assert_eq!(granted(single.acquire(1, one(single.now() + SECOND / 2))), counter);
    // The counter is lost under the lock.
    single.server.command(&["DEL", COUNTER]).unwrap();
    assert!(granted(single.acquire(1, one(u64::MAX))) > counter);
}

#[test]
fn a_span_takes_so_many_tokens() {
    let single = Single::start();
    let now = single.now();
    assert_eq!(granted(single.acquire(1, Fence::new(now, 100, RETENTION))), now + 99);
    single.release(1);
    assert_eq!(granted(single.acquire(1, Fence::new(now, 100, RETENTION))), now + 199);
}

#[test]
fn a_counter_counts_exactly_up_to_its_end_and_then_nothing_is_granted() {
    let single = Single::start();
    let last = FencingToken::MAX.to_string();
    single.set_counter(&(FencingToken::MAX - 1).to_string());
    assert_eq!(granted(single.acquire(1, one(0))), FencingToken::MAX);
    assert_eq!(single.counter(), Some(last.clone()), "no exponent");
    assert_eq!(granted(single.acquire(1, one(0))), FencingToken::MAX);
    assert_eq!(granted(single.extend(1, MINUTE, Raise::new(u64::MAX, RETENTION))), FencingToken::MAX);
    assert_eq!(granted(single.raise(1, Raise::new(u64::MAX, RETENTION))), FencingToken::MAX);
    single.release(1);
    let Ok(Reply::Refused(refusal)) = single.acquire(2, one(0)) else { panic!("it has no token left") };
    assert_eq!(refusal.reason, RefusalReason::Exhausted);
    let huge = Fence::new(0, u64::MAX, RETENTION);
    assert!(matches!(single.acquire(2, huge), Ok(Reply::Refused(_))));
    assert!(!single.is_held());
    assert_eq!(single.counter(), Some(last));
}

#[test]
fn a_fleet_whose_counters_are_at_their_end_says_so_and_holds_nothing() {
    let fleet = RedisFleet::start(5).unwrap();
    let last = FencingToken::MAX.to_string();
    fleet.iter().for_each(|server| drop(server.command(&["SET", COUNTER, &last]).unwrap()));
    let locks = connect(&fleet);
    let error = block_on(locks.lock("a").retries(1).acquire()).unwrap_err();
    assert!(matches!(error, AcquireError::Busy { .. }), "{error}");
    assert!(error.to_string().contains("its fencing counter is at its end"), "{error}");
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none());
    for server in &fleet {
        eventually("no lock is left", || !exists(server, LOCK));
        assert_eq!(stored(server), Some(last.clone()));
    }
    assert!(block_on(locks.lock("b").try_acquire()).unwrap().is_some(), "another name is as good as ever");
}

/// What stands where a counter should.
const NO_COUNTERS: [&str; 14] = [
    "",
    "abc",
    "-3",
    "1.5",
    "nan",
    "inf",
    "1e300",
    "9007199254740992",
    "-9223372036854775808",
    "17637739290001280",
    "1763773929000128x",
    "9007199254740992 01010101 text",
    "x 01010101 text",
    " ",
];

#[test]
fn a_counter_that_is_none_refuses_every_token_and_leaves_no_lock() {
    let single = Single::start();
    let mut wrong: Vec<_> = NO_COUNTERS.map(|value| vec!["SET", COUNTER, value]).into();
    wrong.push(vec!["HSET", COUNTER, "a", "b"]);
    for command in wrong {
        single.server.command(&["DEL", COUNTER]).unwrap();
        single.server.command(&command).unwrap();
        let error = single.acquire(1, one(single.now())).unwrap_err();
        assert_eq!((error.kind, error.effect), (NodeErrorKind::WrongType, Effect::None), "{error}");
        let look = block_on(Arc::clone(&single.node).inspect(name("a")));
        assert_eq!(look.unwrap_err().kind, NodeErrorKind::WrongType, "{command:?}");
        assert!(!single.is_held(), "{command:?}");
        if let ["SET", _, value] = command[..] {
            assert_eq!(single.counter().as_deref(), Some(value));
        }
    }
}

#[test]
fn a_counter_that_is_damaged_under_a_lock_prolongs_nothing_and_the_lock_can_be_released() {
    let single = Single::start();
    for value in NO_COUNTERS {
        single.server.command(&["DEL", COUNTER]).unwrap();
        granted(single.acquire(1, one(single.now())));
        single.set_counter(value);
        for error in [
            single.extend(1, MINUTE * 10, Raise::new(7, RETENTION)).unwrap_err(),
            single.raise(1, Raise::new(7, RETENTION)).unwrap_err(),
            single.acquire(1, one(single.now())).unwrap_err(),
        ] {
            assert_eq!((error.kind, error.effect), (NodeErrorKind::WrongType, Effect::None), "{error}");
        }
        let left = single.server.command(&["PTTL", LOCK]).unwrap().integer().unwrap();
        assert!(left <= 60_000, "{value}: {left}");
        assert_eq!(single.counter().as_deref(), Some(value));
        single.release(1);
    }
}

#[test]
fn a_retention_without_end_leaves_no_lock_that_nobody_knows_of() {
    let single = Single::start();
    granted(single.acquire(1, Fence::new(single.now(), 1, Duration::MAX)));
    granted(single.extend(1, MINUTE, Raise::new(1, Duration::MAX)));
    granted(single.raise(1, Raise::new(1, Duration::MAX)));
    single.release(1);
}
