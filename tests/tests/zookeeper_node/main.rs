//! A ZooKeeper ensemble as a node, on real servers. A server takes a second to start: those of a test share one, each with a
//! prefix of its own.
//!
//! Every future is polled by a plain executor outside any runtime.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod access;
mod ends;
mod ensemble;
mod queue;
mod sessions;
mod votes;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::zookeeper::{ZooKeeperConfig, ZooKeeperNode};
use redlock::node::{
    AcquireRequest, ExtendRequest, Fence, Inspection, Node, NodeError, Raise, RaiseRequest, Refusal,
    RefusalReason, ReleaseRequest, Released, Reply,
};
use redlock::testing::real_env;
use redlock::testing::servers::ZooKeeperEnsemble;
use redlock::{Instant, LockName, OwnerToken, Protections, Ttl};

/// Of the servers' ticks of 200 ms and their `syncLimit` of 5.
const TOUCH_DELAY: Duration = Duration::from_millis(1_200);
/// Sessions of clients that have gone end soon.
const SESSION: Duration = Duration::from_secs(6);

fn config(ensemble: &ZooKeeperEnsemble, prefix: &str) -> ZooKeeperConfig {
    ZooKeeperConfig::from_url(&ensemble.url())
        .unwrap()
        .prefix(prefix)
        .touch_delay(TOUCH_DELAY)
        .session_timeout(SESSION)
        .connect_timeout(millis(1_500))
}

fn start(config: ZooKeeperConfig) -> Arc<ZooKeeperNode> {
    ZooKeeperNode::start(config, real_env().unwrap(), Protections::default()).unwrap()
}

/// A node that is connected.
fn connected(ensemble: &ZooKeeperEnsemble, prefix: &str) -> Arc<ZooKeeperNode> {
    let node = start(config(ensemble, prefix));
    block_on(Arc::clone(&node).probe()).unwrap();
    node
}

fn name(name: impl AsRef<[u8]>) -> LockName {
    LockName::new(name).unwrap()
}

fn owner(number: u8) -> OwnerToken {
    OwnerToken::from_bytes([number; 20])
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ttl(length: u64) -> Ttl {
    Ttl::new(millis(length)).unwrap()
}

fn from_now(after: u64) -> Instant {
    Instant::now().saturating_add(millis(after))
}

fn acquisition(lock: &str, number: u8, length: u64) -> AcquireRequest {
    let mut request = AcquireRequest::new(name(lock), owner(number), ttl(length), from_now(10_000));
    request.fence = Some(Fence::new(0, 1, Duration::from_secs(600)));
    request
}

fn acquire(node: &Arc<ZooKeeperNode>, lock: &str, number: u8, length: u64) -> Result<Reply, NodeError> {
    block_on(Arc::clone(node).acquire(acquisition(lock, number, length)))
}

fn extend(node: &Arc<ZooKeeperNode>, lock: &str, number: u8, length: u64) -> Result<Reply, NodeError> {
    let request = ExtendRequest::new(name(lock), owner(number), ttl(length), from_now(10_000));
    block_on(Arc::clone(node).extend(request))
}

fn raise(node: &Arc<ZooKeeperNode>, lock: &str, number: u8, to: u64) -> Result<Reply, NodeError> {
    let to = Raise::new(to, Duration::from_secs(600));
    let request = RaiseRequest::new(name(lock), owner(number), ttl(1_000), from_now(10_000), to);
    block_on(Arc::clone(node).raise(request))
}

fn release(node: &Arc<ZooKeeperNode>, lock: &str, number: u8) -> Result<Released, NodeError> {
    block_on(Arc::clone(node).release(ReleaseRequest::new(name(lock), owner(number), Some(from_now(0)))))
}

fn inspect(node: &Arc<ZooKeeperNode>, lock: &str) -> Inspection {
    block_on(Arc::clone(node).inspect(name(lock))).unwrap()
}

/// The counter of a grant.
#[track_caller]
fn granted(reply: Result<Reply, NodeError>) -> u64 {
    match reply {
        Ok(Reply::Granted(grant)) => grant.counter.unwrap_or(0),
        other => panic!("expected a grant, found {other:?}"),
    }
}

#[track_caller]
fn refused(reply: Result<Reply, NodeError>) -> Refusal {
    match reply {
        Ok(Reply::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[track_caller]
fn is_held(reply: Result<Reply, NodeError>) -> bool {
    refused(reply).reason == RefusalReason::Held
}
