//! Redis Sentinel and Redis Cluster as one node each, against real servers. What happens without the safeguards that are theirs
//! is shown by the scenarios `stale-sentinel` and `moved-slot`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod accounting;
mod cluster;
mod migration;
mod refused;
mod sentinel;
mod sentinels_down;
mod strangers;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::{RedisClusterNode, RedisConfig, RedisNode};
use redlock::node::{
    AcquireRequest, ExtendRequest, Identity, Node, NodeError, ReleaseRequest, Released, Reply,
};
use redlock::testing::real_env;
use redlock::testing::servers::{RedisCluster, RedisSentinels, RedisServer};
use redlock::{Instant, LockName, Locks, OwnerToken, Protections, Ttl};
use redlock_tests::support::{LONG, eventually};

/// A node that has begun to connect.
fn start(config: RedisConfig) -> Arc<dyn Node> {
    let (env, protections) = (real_env().unwrap(), Protections::default());
    let config = config.connect_timeout(Duration::from_secs(3));
    match config.address().starts_with("cluster:") {
        true => RedisClusterNode::start(config, env, protections).unwrap(),
        false => RedisNode::start(config, env, protections).unwrap(),
    }
}

fn probe(config: RedisConfig) -> Result<Identity, NodeError> {
    block_on(start(config).probe())
}

#[track_caller]
fn connected(config: RedisConfig) -> Arc<dyn Node> {
    let node = start(config);
    block_on(Arc::clone(&node).probe()).unwrap();
    node
}

/// Locks that are kept on this one node, with a TTL that no test outlives, and without quarantines of that length.
#[track_caller]
fn locks(config: RedisConfig) -> Locks {
    let builder = Locks::builder().restart_guard(false).ttl(LONG).node_timeout(Duration::from_millis(500));
    block_on(builder.redis(config.connect_timeout(Duration::from_secs(3))).build()).unwrap()
}

fn by_sentinels(sentinels: &RedisSentinels) -> RedisConfig {
    RedisConfig::sentinel(RedisSentinels::MASTER_NAME, sentinels.sentinel_addresses()).unwrap()
}

fn of_cluster(cluster: &RedisCluster) -> RedisConfig {
    RedisConfig::cluster(cluster.addresses()).unwrap()
}

/// A name for each master of the Cluster, which keeps its key there.
fn names(cluster: &RedisCluster) -> Vec<String> {
    let home = |name: &String| cluster.home(&format!("redlock:{name}")).unwrap();
    let all: Vec<_> =
        (0..64).map(|number| format!("name-{number}")).map(|name| (home(&name), name)).collect();
    (0..cluster.masters().len())
        .map(|master| all.iter().find(|(home, _)| *home == master).unwrap().1.clone())
        .collect()
}

fn name(name: &str) -> LockName {
    LockName::new(name).unwrap()
}

fn owner(number: u8) -> OwnerToken {
    OwnerToken::from_bytes([number; 20])
}

fn from_now(millis: u64) -> Instant {
    Instant::now().saturating_add(Duration::from_millis(millis))
}

fn acquisition(lock: &str, number: u8) -> AcquireRequest {
    AcquireRequest::new(name(lock), owner(number), Ttl::new(LONG).unwrap(), from_now(60_000))
}

fn acquire(node: &Arc<dyn Node>, lock: &str, number: u8) -> Result<Reply, NodeError> {
    block_on(Arc::clone(node).acquire(acquisition(lock, number)))
}

fn extend(node: &Arc<dyn Node>, lock: &str, number: u8) -> Result<Reply, NodeError> {
    let ttl = Ttl::new(LONG).unwrap();
    block_on(Arc::clone(node).extend(ExtendRequest::new(name(lock), owner(number), ttl, from_now(60_000))))
}

fn release(
    node: &Arc<dyn Node>,
    lock: &str,
    number: u8,
    unsettled: Option<Instant>,
) -> Result<Released, NodeError> {
    block_on(Arc::clone(node).release(ReleaseRequest::new(name(lock), owner(number), unsettled)))
}

fn is_granted(reply: &Result<Reply, NodeError>) -> bool {
    matches!(reply, Ok(Reply::Granted(_)))
}

#[track_caller]
fn acquire_eventually(node: &Arc<dyn Node>, lock: &str, number: u8) {
    eventually("it is granted", || is_granted(&acquire(node, lock, number)));
}

/// The `run_id` of a server.
fn run_id(server: &RedisServer) -> String {
    let info = server.command(&["INFO", "server"]).unwrap();
    let line = info.text().unwrap().lines().find_map(|line| line.strip_prefix("run_id:")).unwrap();
    line.trim().to_owned()
}

/// Has a sentinel name this server as the master, whatever it was before.
fn rename(sentinels: &RedisSentinels, index: usize, master: &RedisServer) {
    let (sentinel, port) = (sentinels.sentinel(index), master.port().to_string());
    sentinel.command(&["SENTINEL", "REMOVE", "mymaster"]).unwrap();
    sentinel.command(&["SENTINEL", "MONITOR", "mymaster", "127.0.0.1", &port, "2"]).unwrap();
}

/// Has a server know the user `locker`, who may do everything.
fn add_locker(server: &RedisServer) {
    server.command(&["ACL", "SETUSER", "locker", "on", ">pw", "~*", "&*", "+@all"]).unwrap();
}

/// How many connections the user `locker` has.
fn connections(server: &RedisServer) -> usize {
    let list = server.command(&["CLIENT", "LIST"]).unwrap();
    list.text().unwrap().lines().filter(|line| line.contains(" user=locker ")).count()
}

/// An address that nobody listens at.
fn nobody() -> String {
    let server = RedisServer::start().unwrap();
    server.address()
}
