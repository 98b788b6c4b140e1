//! The holder's whole process stands still (SIGSTOP): nothing in it can tell it that time has passed. What holds then; how it
//! learns of a loss when it goes on is in `clocks/stopped_holder`.

use std::time::Duration;

use futures::executor::block_on;
use redlock::Instant;
use redlock::testing::real_env;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{HolderProcess, LIMIT, assert_no_key_is_left, connect};
use rustix::process::Signal;

/// What the lock protects: it refuses whoever comes later than a later holder.
#[derive(Debug, Default)]
struct Resource {
    /// The greatest token seen.
    token: u64,
    writes: Vec<u64>,
}

impl Resource {
    /// Says whether the write was accepted.
    fn write(&mut self, token: u64) -> bool {
        if token < self.token {
            return false;
        }
        self.token = token;
        self.writes.push(token);
        true
    }
}

/// A process that holds the lock `a` with this TTL, and its token.
fn holder(fleet: &RedisFleet, ttl: Duration) -> (HolderProcess, u64) {
    let millis = ttl.as_millis().to_string();
    let mut holder = HolderProcess::start(env!("CARGO_BIN_EXE_holder"), &["act", "a", &millis], fleet);
    let line = holder.line();
    let token = line.strip_prefix("held ").unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
    (holder, token)
}

#[test]
fn a_write_between_a_look_and_the_next_is_refused_by_a_resource_that_compares_tokens() {
    let fleet = RedisFleet::start(5).unwrap();
    let mut resource = Resource::default();
    let (mut holder, token) = holder(&fleet, Duration::from_secs(1));
    // It looks, and stands still before it acts upon what it saw.
    holder.say("look");
    assert_eq!(holder.line(), "valid");
    holder.signal(Signal::STOP);

    // Until the keys of the first have expired.
    let guard = block_on(connect(&fleet).lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    let greater = guard.fencing_token().unwrap().get();
    assert!(resource.write(greater));
    assert!(guard.is_valid());

    holder.say("write");
    holder.signal(Signal::CONT);
    assert_eq!(holder.line(), format!("write {token}"), "nothing keeps it from writing");
    assert!(!resource.write(token), "the late write must be refused");
    holder.say("look");
    assert_eq!(holder.line(), "not valid");

    assert!(guard.is_valid() && resource.write(greater), "the successor is not disturbed");
    assert_eq!(resource.writes, [greater, greater]);
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_process_that_goes_on_within_its_validity_holds_the_lock_as_before() {
    const TTL: Duration = Duration::from_secs(5);
    let fleet = RedisFleet::start(5).unwrap();
    let env = real_env().unwrap();
    let wait = |time| block_on(env.sleep_until(Instant::now().saturating_add(time)));
    let (mut holder, _) = holder(&fleet, TTL);
    let held = Instant::now();
    holder.signal(Signal::STOP);
    // A renewal is due after a third of the TTL.
    wait(TTL * 2 / 5);
    holder.signal(Signal::CONT);
    wait(held.saturating_add(TTL).saturating_since(Instant::now()));
    holder.say("look");
    assert_eq!(holder.line(), "valid", "it has been renewed");
    assert!(block_on(connect(&fleet).lock("a").try_acquire()).unwrap().is_none());
}
