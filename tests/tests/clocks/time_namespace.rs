//! A holder in a time namespace, where `CLOCK_BOOTTIME` and `CLOCK_MONOTONIC` are as far apart as after a long sleep.
//!
//! The library must read the first, arm its timers on it, and mix in nothing of the second. The servers are outside.

use std::fs;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{HolderProcess, Lateness, connect, eventually, in_time_namespace};

const TTL: Duration = Duration::from_secs(2);
/// Longer than a TTL: without renewals it would be over.
const HELD_FOR: Duration = Duration::from_secs(3);
/// Eleven days and a half, in seconds.
const FAR: i64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// What the machine's `CLOCK_BOOTTIME` shows, in whole seconds.
fn uptime() -> i64 {
    let text = fs::read_to_string("/proc/uptime").unwrap();
    text.split('.').next().unwrap().parse().unwrap()
}

/// The numbers in a line of the holder's that begins with this word.
fn numbers(line: &str, word: &str) -> Vec<u64> {
    let rest = line.strip_prefix(word).unwrap_or_else(|| panic!("{word}: {line}"));
    rest.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// Acquires, holds over many renewals, works and loses a lock in such a namespace.
fn everything_works_with(boottime: i64, monotonic: i64) {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = connect(&fleet);
    let millis = TTL.as_millis().to_string();
    let mut command = in_time_namespace(boottime, monotonic, env!("CARGO_BIN_EXE_holder"));
    let mut holder = HolderProcess::spawn(command.args(["work", "a", &millis]), &fleet);

    let held = numbers(&holder.line(), "held");
    let [before, now, after, monotonic_now] = held[..] else { panic!("{held:?}") };
    assert!((before..=after).contains(&now), "its clock is CLOCK_BOOTTIME: {held:?}");
    let apart = (boottime - monotonic).unsigned_abs() * SECOND;
    assert!(now.abs_diff(monotonic_now) > apart / 2, "the clocks must differ for this to show: {held:?}");

    // It is renewed in time, over and over.
    let started = Instant::now();
    eventually("more than a TTL has passed", || {
        assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none(), "it is held");
        started.elapsed() > HELD_FOR
    });
    holder.ask();
    let mut lines = [holder.line(), holder.line()];
    lines.sort_unstable();
    assert!(lines[1] == "step", "{lines:?}");
    let looked = numbers(&lines[0], "look true");
    assert!(looked[0] >= now + HELD_FOR.as_nanos() as u64, "{looked:?}");

    // No renewal gets through any more: the timer rings at the end of the validity, not before, and not much after.
    let lateness = Lateness::start();
    fleet.iter().take(2).for_each(|server| server.pause().unwrap());
    let lost = numbers(&holder.line(), "lost");
    let late = lateness.allowance();
    let [lost_at, valid_until] = lost[..] else { panic!("{lost:?}") };
    let lead = Duration::from_millis(1).as_nanos() as u64;
    assert!(lost_at >= valid_until - lead, "{lost:?}");
    assert!(lost_at <= valid_until + late.as_nanos() as u64, "{lost:?}, and {late:?} is allowed");
    assert!(valid_until >= looked[0] && valid_until <= lost_at + lead, "{lost:?} {looked:?}");
}

#[test]
fn a_holder_works_where_the_machine_has_slept_for_days() {
    everything_works_with(FAR, 0);
}

#[test]
fn a_holder_works_where_the_monotonic_clock_is_far_ahead() {
    everything_works_with(0, FAR);
}

#[test]
fn a_holder_works_where_the_machine_has_just_been_started() {
    // Its clock begins at less than a TTL, so that points in time before its origin come up in reckoning.
    everything_works_with(-uptime(), FAR);
}
