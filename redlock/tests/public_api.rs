//! What the public types promise to the compiler. Everything here is checked when it is compiled.

#![cfg(all(feature = "redis", feature = "memory", feature = "config"))]

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::backend::redis::{RedisClusterNode, RedisConfig, RedisConfigError, RedisNode, TlsFiles};
use redlock::config::{Config, ConfigError};
use redlock::env::{Env, RandomError};
use redlock::node::{ClockReading, Examination, Node, NodeError, RefusalReason};
use redlock::preflight::{Finding, FindingKind, Persistence, Report, Severity};
use redlock::{
    AcquireError, BuildError, ExtendError, Held, Instant, InvalidDriftFactor, InvalidName, InvalidQuorum,
    InvalidTtl, Lock, LockGuard, LockName, LockState, Locks, LocksBuilder, LostReason, NodeReport, NodeVote,
    OwnerToken, Quorum, ReleaseError, RunError, ShutdownReport, Ttl, blocking,
};

fn shareable<T: Debug + Send + Sync + 'static>() {}
fn cloneable<T: Clone + Debug + Send + Sync + 'static>() {}
fn error<T: Error + Clone + Send + Sync + 'static>() {}
fn sendable(_: impl Future + Send) {}

#[test]
fn values_can_be_shared_between_threads() {
    shareable::<LockGuard>();
    shareable::<blocking::LockGuard>();
    shareable::<MemoryNode>();
    shareable::<RedisClusterNode>();
    shareable::<RedisNode>();
    cloneable::<ClockReading>();
    cloneable::<Config>();
    cloneable::<Examination>();
    cloneable::<Finding>();
    cloneable::<FindingKind>();
    cloneable::<Held>();
    cloneable::<Instant>();
    cloneable::<Lock>();
    cloneable::<LockName>();
    cloneable::<LockState>();
    cloneable::<Locks>();
    cloneable::<LocksBuilder>();
    cloneable::<NodeReport>();
    cloneable::<NodeVote>();
    cloneable::<OwnerToken>();
    cloneable::<Persistence>();
    cloneable::<Quorum>();
    cloneable::<RedisConfig>();
    cloneable::<Report>();
    cloneable::<Severity>();
    cloneable::<ShutdownReport>();
    cloneable::<TlsFiles>();
    cloneable::<Ttl>();
    cloneable::<blocking::Lock>();
    cloneable::<blocking::Locks>();
}

#[test]
fn errors_are_errors_that_can_be_passed_on_and_kept() {
    error::<AcquireError>();
    error::<BuildError>();
    error::<ConfigError>();
    error::<ExtendError>();
    error::<InvalidDriftFactor>();
    error::<InvalidName>();
    error::<InvalidQuorum>();
    error::<InvalidTtl>();
    error::<LostReason>();
    error::<NodeError>();
    error::<RandomError>();
    error::<RedisConfigError>();
    error::<RefusalReason>();
    error::<ReleaseError>();
    error::<RunError>();
}

#[test]
fn nodes_and_environments_can_be_trait_objects() {
    fn object<T: ?Sized + Send + Sync + 'static>() {}
    object::<dyn Env>();
    object::<dyn Node>();
}

/// Never called: that it compiles is the test.
#[allow(dead_code)]
fn every_future_can_be_spawned(builder: LocksBuilder, locks: Locks, lock: Lock, guard: LockGuard) {
    sendable(builder.build());
    sendable(Locks::from_toml("etc.toml"));
    sendable(lock.acquire());
    sendable(lock.try_acquire());
    sendable(lock.run(async |held: Held| held.is_valid()));
    sendable(guard.extend());
    sendable(guard.lost());
    sendable(guard.at_risk(Duration::ZERO));
    sendable(guard.state_changed_from(LockState::Held));
    sendable(guard.release());
    sendable(locks.preflight());
    sendable(locks.shutdown(Duration::ZERO));
}
