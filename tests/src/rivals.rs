//! One who holds a lock and does not renew it, and one who wants it too, while nodes fail.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::{LockGuard, Locks, LocksBuilder, Protections};

use crate::support::LIMIT;

/// Long enough for nodes to fail and to come back within it, on a busy machine too.
pub const HELD_FOR: Duration = Duration::from_secs(4);
/// The same for mutants, which do not wait until it is over.
const HELD_FOR_MUTANT: Duration = Duration::from_secs(12);

/// Locks with the restart guard, whose TTLs are all as long as the quarantines, and with patience for slow servers.
///
/// # Panics
/// If an address is none.
pub fn builder_of(urls: Vec<String>, ttl: Duration) -> LocksBuilder {
    let patience = Duration::from_millis(500).min(ttl / 2);
    let builder = Locks::builder().ttl(ttl).max_ttl(ttl).node_timeout(patience);
    urls.iter().fold(builder, |builder, url| {
        let config = RedisConfig::from_url(url).unwrap();
        builder.redis(config.connect_timeout(Duration::from_secs(5)))
    })
}

/// Which safeguards are on.
#[derive(Clone, Copy)]
pub enum Guarded {
    /// All of them.
    Fully,
    /// But for this one.
    Without(&'static str),
    /// The restart guard is off, as a user may have it.
    Not,
}

impl Guarded {
    /// Locks whose TTLs leave enough time for nodes to fail, and to come back.
    pub fn builder(self, urls: Vec<String>) -> LocksBuilder {
        match self {
            Self::Fully => builder_of(urls, HELD_FOR),
            Self::Without(name) => {
                builder_of(urls, HELD_FOR_MUTANT).protections(Protections::without(name).unwrap())
            }
            Self::Not => builder_of(urls, HELD_FOR_MUTANT).restart_guard(false),
        }
    }
}

/// Acquires the lock `a`, and never renews it.
pub fn hold(locks: &Locks) -> LockGuard {
    block_on(locks.lock("a").renew_at_most(Duration::from_nanos(1)).acquire()).unwrap()
}

/// Whether the other one acquires `a` while it is held.
pub fn gets_in(guard: &LockGuard, other: &Locks) -> bool {
    while guard.is_valid() {
        if let Ok(Some(rival)) = block_on(other.lock("a").try_acquire()) {
            // It was acquired before the first of these looks, and so both hold at the time of it.
            if guard.is_valid() && rival.is_valid() {
                return true;
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Whether there are two holders after `fail`, on nodes at these addresses. Everything must work again in the end.
///
/// # Panics
/// If it does not, or if the machine is so slow that the lock has expired when `fail` returns.
pub fn two_hold(guarded: Guarded, urls: &[String], fail: impl FnOnce()) -> bool {
    let builder = || guarded.builder(urls.to_vec());
    let locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    two_of(&locks, || other, fail)
}

/// The same for these clients; the other one begins after `fail`.
///
/// # Panics
/// As [`two_hold`].
pub fn two_of(locks: &Locks, other: impl FnOnce() -> Locks, fail: impl FnOnce()) -> bool {
    let guard = hold(locks);
    fail();
    assert!(guard.held().remaining() > Duration::ZERO, "the machine is too slow for this test");
    let other = other();
    let two = gets_in(&guard, &other);
    if !two {
        drop(guard);
        let next = block_on(other.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
        block_on(next.release()).unwrap();
    }
    two
}
