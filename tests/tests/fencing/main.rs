//! Fencing tokens on real servers: they rise, whatever becomes of a minority's counters, and fail closed where they cannot.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod bounds;
mod expiry;
mod memory;
mod rising;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::node::{
    AcquireRequest, ExtendRequest, Fence, Node, NodeError, Raise, RaiseRequest, ReleaseRequest, Reply,
};
use redlock::testing::real_env;
use redlock::testing::servers::RedisServer;
use redlock::{Instant, LockName, OwnerToken, Protections, Ttl};

/// Where a node keeps the counter of the lock `a` under the default prefix, and the lock itself.
const COUNTER: &str = "#redlock:aux:{redlock:a}";
const LOCK: &str = "redlock:a";

const HOUR: u64 = 3_600_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(600);

/// A server, and a node that is connected to it: requests for the lock `a`.
struct Single {
    server: RedisServer,
    node: Arc<RedisNode>,
}

impl Single {
    fn start() -> Self {
        let server = RedisServer::start().unwrap();
        let node = connected(RedisConfig::from_url(&server.url()).unwrap());
        Self { server, node }
    }

    fn acquire(&self, owner: u8, fence: Fence) -> Result<Reply, NodeError> {
        self.acquire_for(MINUTE, owner, Some(fence))
    }

    fn acquire_for(&self, ttl: Duration, owner: u8, fence: Option<Fence>) -> Result<Reply, NodeError> {
        let ttl = Ttl::new(ttl).unwrap();
        let mut request = AcquireRequest::new(name("a"), token_of(owner), ttl, soon());
        request.fence = fence;
        block_on(Arc::clone(&self.node).acquire(request))
    }

    fn extend(&self, owner: u8, ttl: Duration, fence: Raise) -> Result<Reply, NodeError> {
        let ttl = Ttl::new(ttl).unwrap();
        let mut request = ExtendRequest::new(name("a"), token_of(owner), ttl, soon());
        request.fence = Some(fence);
        block_on(Arc::clone(&self.node).extend(request))
    }

    fn raise(&self, owner: u8, fence: Raise) -> Result<Reply, NodeError> {
        let ttl = Ttl::new(MINUTE).unwrap();
        let request = RaiseRequest::new(name("a"), token_of(owner), ttl, soon(), fence);
        block_on(Arc::clone(&self.node).raise(request))
    }

    #[track_caller]
    fn release(&self, owner: u8) {
        let request = ReleaseRequest::new(name("a"), token_of(owner), None);
        assert!(block_on(Arc::clone(&self.node).release(request)).unwrap().was_held);
    }

    /// The server's time, in microseconds.
    fn now(&self) -> u64 {
        time_of(&self.server)
    }

    fn is_held(&self) -> bool {
        exists(&self.server, LOCK)
    }

    fn counter(&self) -> Option<String> {
        text(&self.server, COUNTER)
    }

    /// What is left of the counter, in milliseconds.
    fn counter_pttl(&self) -> i64 {
        self.server.command(&["PTTL", COUNTER]).unwrap().integer().unwrap()
    }

    fn set_counter(&self, value: &str) {
        self.server.command(&["SET", COUNTER, value]).unwrap();
    }
}

fn connected(config: RedisConfig) -> Arc<RedisNode> {
    let node = RedisNode::start(config, real_env().unwrap(), Protections::default()).unwrap();
    block_on(Arc::clone(&node).probe()).unwrap();
    node
}

fn name(name: &str) -> LockName {
    LockName::new(name).unwrap()
}

fn token_of(owner: u8) -> OwnerToken {
    OwnerToken::from_bytes([owner; OwnerToken::BYTES])
}

fn soon() -> Instant {
    Instant::now().saturating_add(Duration::from_secs(10))
}

/// A fence with this hint, for one token.
fn one(hint: u64) -> Fence {
    Fence::new(hint, 1, RETENTION)
}

/// The counter that came with a grant.
#[track_caller]
fn granted(reply: Result<Reply, NodeError>) -> u64 {
    match reply {
        Ok(Reply::Granted(grant)) => grant.counter.unwrap(),
        reply => panic!("not granted: {reply:?}"),
    }
}

fn exists(server: &RedisServer, key: &str) -> bool {
    server.command(&["EXISTS", key]).unwrap().integer() == Some(1)
}

fn text(server: &RedisServer, key: &str) -> Option<String> {
    server.command(&["GET", key]).unwrap().text().map(str::to_owned)
}

/// The counter that a server stores, without what its owner says behind it.
fn stored(server: &RedisServer) -> Option<String> {
    text(server, COUNTER).and_then(|text| text.split(' ').next().map(str::to_owned))
}

fn time_of(server: &RedisServer) -> u64 {
    let time = server.command(&["TIME"]).unwrap().texts();
    let [seconds, micros] = [&time[0], &time[1]].map(|text| text.parse::<u64>().unwrap());
    seconds * 1_000_000 + micros
}
