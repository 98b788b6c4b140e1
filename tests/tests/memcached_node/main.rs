//! The memcached node against real servers.
//!
//! Every future is polled by a plain executor outside any runtime.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod due;
mod fencing;
mod full;
mod link;
mod memory;
mod mutants;
mod quorum;
mod stopped;
mod tls;
mod votes;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::memcached::{MemcachedConfig, MemcachedNode};
use redlock::node::{
    AcquireRequest, ExtendRequest, Node, NodeError, Refusal, RefusalReason, ReleaseRequest, Released, Reply,
};
use redlock::testing::real_env;
use redlock::testing::servers::MemcachedServer;
use redlock::{Instant, LockName, OwnerToken, Protections, Ttl};

fn server() -> MemcachedServer {
    MemcachedServer::start().unwrap()
}

/// Without the restart guard, as beside due's services.
fn config(server: &MemcachedServer) -> MemcachedConfig {
    MemcachedConfig::from_url(&server.url()).unwrap().restart_guard(false).connect_timeout(millis(5_000))
}

/// A node for this server that is connected.
fn connected(server: &MemcachedServer) -> Arc<MemcachedNode> {
    connected_with(server, Protections::default())
}

fn connected_with(server: &MemcachedServer, protections: Protections) -> Arc<MemcachedNode> {
    let node = start_with(config(server), protections);
    block_on(Arc::clone(&node).probe()).unwrap();
    node
}

fn start(config: MemcachedConfig) -> Arc<MemcachedNode> {
    start_with(config, Protections::default())
}

fn start_with(config: MemcachedConfig, protections: Protections) -> Arc<MemcachedNode> {
    MemcachedNode::start(config, real_env().unwrap(), protections).unwrap()
}

fn without(protection: &str) -> Protections {
    Protections::without(protection).unwrap()
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

fn from_now(after: u64) -> Instant {
    Instant::now().saturating_add(millis(after))
}

fn ttl(ttl: u64) -> Ttl {
    Ttl::new(millis(ttl)).unwrap()
}

fn acquisition(lock: &str, number: u8, lasts: u64) -> AcquireRequest {
    AcquireRequest::new(name(lock), owner(number), ttl(lasts), from_now(30_000))
}

fn acquire(node: &Arc<MemcachedNode>, lock: &str, number: u8, ttl: u64) -> Result<Reply, NodeError> {
    block_on(Arc::clone(node).acquire(acquisition(lock, number, ttl)))
}

fn extension(lock: &str, number: u8, lasts: u64) -> ExtendRequest {
    ExtendRequest::new(name(lock), owner(number), ttl(lasts), from_now(30_000))
}

fn extend(node: &Arc<MemcachedNode>, lock: &str, number: u8, ttl: u64) -> Result<Reply, NodeError> {
    block_on(Arc::clone(node).extend(extension(lock, number, ttl)))
}

fn release(node: &Arc<MemcachedNode>, lock: &str, number: u8) -> Result<Released, NodeError> {
    block_on(Arc::clone(node).release(ReleaseRequest::new(name(lock), owner(number), None)))
}

fn is_held(node: &Arc<MemcachedNode>, lock: &str) -> bool {
    block_on(Arc::clone(node).inspect(name(lock))).unwrap().held
}

fn is_granted(reply: &Result<Reply, NodeError>) -> bool {
    matches!(reply, Ok(Reply::Granted(_)))
}

fn counter(reply: Result<Reply, NodeError>) -> u64 {
    let Ok(Reply::Granted(grant)) = reply else { panic!("{reply:?}") };
    grant.counter.unwrap()
}

/// Whether a refusal has this reason, and how much is left.
#[track_caller]
fn refusal(reply: Result<Reply, NodeError>, reason: RefusalReason) -> Option<Duration> {
    let Ok(Reply::Refused(Refusal { reason: found, remaining, .. })) = reply else { panic!("{reply:?}") };
    assert_eq!(found, reason);
    remaining
}

/// What a server answers to one line; the answer ends with a line.
fn ask(server: &MemcachedServer, line: &str) -> String {
    server.talk(&format!("{line}\r\n"), "\r\n").unwrap()
}

/// What an item has left, in seconds; -1: no end is set.
fn left(server: &MemcachedServer, key: &str) -> Option<i64> {
    let answer = ask(server, &format!("mg {key} t"));
    answer.trim().strip_prefix("HD t").map(|left| left.parse().unwrap())
}
