//! A holder process that stands still (SIGSTOP) beyond its validity, on the real clock: what it knows when it goes on.
//!
//! This is as near to a machine's sleep as a test can come: the timers run out while nothing of the process runs.

use std::time::Duration;

use futures::executor::block_on;
use redlock::Instant;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{HolderProcess, LIMIT, connect, eventually};
use rustix::process::Signal;

const TTL: Duration = Duration::from_secs(3);

fn start(ttl: Duration, fleet: &RedisFleet) -> HolderProcess {
    let millis = ttl.as_millis().to_string();
    let arguments = ["work", "--no-renewal", "a", &millis];
    let mut holder = HolderProcess::start(env!("CARGO_BIN_EXE_holder"), &arguments, fleet);
    let line = holder.line();
    assert!(line.starts_with("held "), "{line}");
    holder
}

/// Asks for a step and sees it taken.
fn take_step(holder: &mut HolderProcess) {
    holder.ask();
    let mut lines = [holder.line(), holder.line()];
    // Whoever looks and whoever works are two threads.
    lines.sort_unstable();
    assert!(lines[0].starts_with("look true ") && lines[1] == "step", "{lines:?}");
}

#[test]
fn a_holder_that_stood_still_beyond_its_validity_sees_it_at_the_first_look_and_works_no_more() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = connect(&fleet);
    let mut holder = start(TTL, &fleet);
    take_step(&mut holder);
    // In the middle of nothing: a step that has begun goes on after any stop, which is what fencing is for.
    holder.wait_until_idle();
    holder.signal(Signal::STOP);
    let stopped = Instant::now();
    let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    eventually("its validity has ended", || Instant::now() >= stopped.saturating_add(TTL));

    // There is work to do when it goes on.
    (0..3).for_each(|_| holder.ask());
    let resumed = Instant::now().as_nanos();
    holder.signal(Signal::CONT);
    let mut lines = [(); 4].map(|()| holder.line());
    lines.sort_unstable();
    let [looks @ .., end] = &lines;
    for look in looks {
        let before = look.strip_prefix("look false ").and_then(|before| before.parse::<u64>().ok());
        assert!(before.is_some_and(|before| before >= resumed), "every look, and no step: {lines:?}");
    }
    assert!(end.starts_with("lost "), "{lines:?}");
    assert!(guard.is_valid());
}

#[test]
fn a_holder_that_stood_still_within_its_validity_goes_on_with_its_work() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = connect(&fleet);
    let mut holder = start(10 * TTL, &fleet);
    take_step(&mut holder);
    holder.signal(Signal::STOP);
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none());
    holder.signal(Signal::CONT);
    take_step(&mut holder);
}
