//! A holder that dies or stands still blocks others for its TTL and no longer.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{
    HolderProcess, LIMIT, assert_no_key_is_left, connect, eventually, servers_with,
};
use rustix::process::Signal;

const TTL: Duration = Duration::from_secs(2);
/// For what comes after the expiry: the waiter's next attempt, on a machine that may be busy.
const MARGIN: Duration = Duration::from_secs(1);

#[test]
fn a_holder_killed_with_sigkill_blocks_others_no_longer_than_its_ttl() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let millis = TTL.as_millis().to_string();
    let mut holder = HolderProcess::start(env!("CARGO_BIN_EXE_holder"), &["hold", "a", &millis], &fleet);
    assert_eq!(holder.line(), "held");
    // It is renewed for as long as it lives: blocked also after more than a TTL.
    let started = Instant::now();
    eventually("more than a TTL has passed", || {
        assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none(), "it is held");
        started.elapsed() > TTL + TTL / 2
    });

    holder.kill();
    let killed = Instant::now();
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none(), "its keys are still there");
    let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    let blocked = killed.elapsed();
    assert!(blocked <= TTL + MARGIN, "blocked for {blocked:?}");
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_holder_that_stood_still_learns_that_it_has_lost_and_harms_nobody() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let millis = TTL.as_millis().to_string();
    let mut holder = HolderProcess::start(env!("CARGO_BIN_EXE_holder"), &["hold", "a", &millis], &fleet);
    assert_eq!(holder.line(), "held");
    holder.signal(Signal::STOP);
    let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();

    // Its renewal and its releases come now, after another has the lock.
    holder.signal(Signal::CONT);
    assert_eq!(holder.line(), "lost");
    assert_eq!(holder.line(), "", "it has ended");
    assert!(servers_with(&fleet, "redlock:a") >= 3);
    block_on(guard.extend()).unwrap();
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}
