//! The etcd node against real ensembles: what is etcd's own.
//!
//! Every future is polled by a plain executor outside any runtime. Ensembles take a second to start: each test has one, and checks
//! several things on it, under different names.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod access;
mod counters;
mod faults;
mod locks;
mod votes;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::etcd::{EtcdConfig, EtcdNode};
use redlock::env::Env;
use redlock::node::{
    AcquireRequest, ExtendRequest, Fence, Inspection, Node, NodeError, Raise, Refusal, RefusalReason,
    ReleaseRequest, Released, Reply,
};
use redlock::testing::real_env;
use redlock::testing::servers::EtcdEnsemble;
use redlock::{Instant, LockName, OwnerToken, Protections, Ttl};
use redlock_tests::support::eventually;

const RETENTION: Duration = Duration::from_secs(600);

/// A node, and requests to it.
struct Bench {
    node: Arc<EtcdNode>,
}

impl Bench {
    fn of(ensemble: &EtcdEnsemble) -> Self {
        Self::with(EtcdConfig::from_url(&ensemble.url()).unwrap())
    }

    fn with(config: EtcdConfig) -> Self {
        Self::start(config, real_env().unwrap(), Protections::default())
    }

    fn start(config: EtcdConfig, env: Arc<dyn Env>, protections: Protections) -> Self {
        Self { node: EtcdNode::start(config, env, protections).unwrap() }
    }

    fn node(&self) -> Arc<EtcdNode> {
        Arc::clone(&self.node)
    }

    fn acquire(&self, lock: &str, number: u8, ttl: u64) -> Result<Reply, NodeError> {
        block_on(self.node().acquire(acquisition(lock, number, ttl)))
    }

    fn fenced(&self, lock: &str, number: u8, span: u64) -> Result<Reply, NodeError> {
        let mut request = acquisition(lock, number, 60_000);
        request.fence = Some(Fence::new(0, span, RETENTION));
        block_on(self.node().acquire(request))
    }

    fn extend(&self, lock: &str, number: u8, ttl: u64) -> Result<Reply, NodeError> {
        block_on(self.node().extend(extension(lock, number, ttl)))
    }

    fn raised(&self, lock: &str, number: u8, to: u64) -> Result<Reply, NodeError> {
        let mut request = extension(lock, number, 60_000);
        request.fence = Some(Raise::new(to, RETENTION));
        block_on(self.node().extend(request))
    }

    fn restore(&self, lock: &str, number: u8) -> Result<Reply, NodeError> {
        let mut request = extension(lock, number, 60_000);
        request.restore = true;
        block_on(self.node().extend(request))
    }

    fn release(&self, lock: &str, number: u8) -> Result<Released, NodeError> {
        block_on(self.node().release(ReleaseRequest::new(name(lock), owner(number), None)))
    }

    fn inspect(&self, lock: &str) -> Inspection {
        block_on(self.node().inspect(name(lock))).unwrap()
    }

    fn is_held(&self, lock: &str) -> bool {
        self.inspect(lock).held
    }
}

fn name(name: &str) -> LockName {
    LockName::new(name).unwrap()
}

fn owner(number: u8) -> OwnerToken {
    OwnerToken::from_bytes([number; 20])
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn soon() -> Instant {
    Instant::now().saturating_add(seconds(20))
}

fn acquisition(lock: &str, number: u8, ttl: u64) -> AcquireRequest {
    AcquireRequest::new(name(lock), owner(number), Ttl::new(Duration::from_millis(ttl)).unwrap(), soon())
}

fn extension(lock: &str, number: u8, ttl: u64) -> ExtendRequest {
    ExtendRequest::new(name(lock), owner(number), Ttl::new(Duration::from_millis(ttl)).unwrap(), soon())
}

#[track_caller]
fn granted(reply: Result<Reply, NodeError>) -> Option<u64> {
    match reply {
        Ok(Reply::Granted(grant)) => grant.counter,
        other => panic!("not granted: {other:?}"),
    }
}

#[track_caller]
fn refused(reply: Result<Reply, NodeError>, expected: RefusalReason) -> Option<Duration> {
    match reply {
        Ok(Reply::Refused(Refusal { reason, remaining, .. })) if reason == expected => remaining,
        other => panic!("not refused as {expected:?}: {other:?}"),
    }
}

/// Waits until no lease is left but those that keep counters.
#[track_caller]
fn assert_no_lease_is_left(ensemble: &EtcdEnsemble) {
    let left = || ensemble.lock_leases().unwrap();
    eventually("no lease is left", || left().is_empty());
}

/// Waits until a fenced acquisition is granted: the ensemble has to find itself first.
#[track_caller]
fn eventually_granted(bench: &Bench, lock: &str, number: u8) -> Option<u64> {
    let mut counter = None;
    eventually("it is granted", || match bench.fenced(lock, number, 1) {
        Ok(Reply::Granted(grant)) => {
            counter = grant.counter;
            true
        }
        _ => false,
    });
    counter
}
