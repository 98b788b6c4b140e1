//! The restart guard on real servers: nodes that have lost their memory grant nothing until it is safe.

mod init;
mod losses;
mod markers;

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::{RedisFleet, RedisOptions, RedisServer};
use redlock::{Locks, LocksBuilder};

/// Short, so that a quarantine is.
const MAX_TTL: Duration = Duration::from_millis(600);

fn start(count: usize) -> RedisFleet {
    start_with(count, &RedisServer::options())
}

fn start_with(count: usize, options: &RedisOptions) -> RedisFleet {
    RedisFleet::start_with(count, options).unwrap()
}

/// Locks with the restart guard, whose quarantines are short.
fn builder(fleet: &RedisFleet) -> LocksBuilder {
    Locks::builder()
        .nodes(fleet.urls())
        .ttl(MAX_TTL)
        .max_ttl(MAX_TTL)
        .node_timeout(Duration::from_millis(300))
}

/// Admitted nodes.
fn connect(fleet: &RedisFleet) -> Locks {
    block_on(builder(fleet).init()).unwrap()
}
