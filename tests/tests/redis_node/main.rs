//! The Redis node against real servers.
//!
//! Every future is polled by a plain executor outside any runtime.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod access;
mod described;
mod faults;
mod mutants;
mod rights;
mod server;
mod strangers;
mod tls;
mod together;
mod votes;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::node::{
    AcquireRequest, ExtendRequest, Identity, Node, NodeError, Refusal, RefusalReason, ReleaseRequest,
    Released, Reply,
};
use redlock::testing::real_env;
use redlock::{Instant, LockName, OwnerToken, Protections, Ttl};

use server::Server;

/// A node for this server that is connected.
fn connected(server: &Server) -> Arc<RedisNode> {
    connected_with(server, Protections::default())
}

fn connected_with(server: &Server, protections: Protections) -> Arc<RedisNode> {
    // On a machine that is too busy even a server beside us takes its time.
    let config = RedisConfig::from_url(&server.url()).unwrap().connect_timeout(Duration::from_secs(5));
    let node = start_with(config, protections);
    block_on(Arc::clone(&node).probe()).unwrap();
    node
}

fn start(config: RedisConfig) -> Arc<RedisNode> {
    start_with(config, Protections::default())
}

fn start_with(config: RedisConfig, protections: Protections) -> Arc<RedisNode> {
    RedisNode::start(config, real_env().unwrap(), protections).unwrap()
}

fn probe(config: RedisConfig) -> Result<Identity, NodeError> {
    block_on(start(config).probe())
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

fn acquisition(lock: &str, number: u8, ttl: u64) -> AcquireRequest {
    AcquireRequest::new(name(lock), owner(number), Ttl::new(millis(ttl)).unwrap(), from_now(10_000))
}

fn acquire(node: &Arc<RedisNode>, lock: &str, number: u8, ttl: u64) -> Result<Reply, NodeError> {
    block_on(Arc::clone(node).acquire(acquisition(lock, number, ttl)))
}

fn extend(node: &Arc<RedisNode>, lock: &str, number: u8, ttl: u64) -> Result<Reply, NodeError> {
    let ttl = Ttl::new(millis(ttl)).unwrap();
    block_on(Arc::clone(node).extend(ExtendRequest::new(name(lock), owner(number), ttl, from_now(10_000))))
}

fn release(node: &Arc<RedisNode>, lock: &str, number: u8) -> Result<Released, NodeError> {
    block_on(Arc::clone(node).release(ReleaseRequest::new(name(lock), owner(number), None)))
}

fn is_granted(reply: &Result<Reply, NodeError>) -> bool {
    matches!(reply, Ok(Reply::Granted(_)))
}

/// Whether a refusal has this reason, and how much is left.
fn refusal(reply: Result<Reply, NodeError>, reason: RefusalReason) -> Option<Duration> {
    let Ok(Reply::Refused(Refusal { reason: found, remaining, .. })) = reply else { panic!("{reply:?}") };
    assert_eq!(found, reason);
    remaining
}

/// What is left of a key on the server, in milliseconds.
fn pttl(server: &Server, key: &str) -> i64 {
    server.cli(&["PTTL", key]).parse().unwrap()
}
