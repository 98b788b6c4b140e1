//! The restart guard on real servers: nodes that have lost their memory grant nothing until it is safe, holders get their keys
//! back, and tokens rise.
//!
//! `REDLOCK_RESTARTS=1000 cargo test -p redlock-tests --test restart_guard -- --nocapture restarts_under_traffic` has so many
//! servers restarted under traffic instead of 60, on fleets in parallel.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod aof;
mod flushes;
mod init;
mod losses;
mod markers;
mod restarts;
mod restore;
mod switched;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::node::{Incarnation, Standing};
use redlock::testing::servers::{RedisFleet, RedisOptions, RedisServer};
use redlock::{Locks, LocksBuilder};
use redlock_tests::network::{Network, Way};
use redlock_tests::rivals::builder_of;

/// Short, so that a quarantine is.
const MAX_TTL: Duration = Duration::from_millis(600);

/// For holders who must not miss their renewals, on a busy machine too.
const RENEWED_TTL: Duration = Duration::from_secs(2);

fn start(count: usize) -> RedisFleet {
    start_with(count, &RedisServer::options())
}

fn start_with(count: usize, options: &RedisOptions) -> RedisFleet {
    RedisFleet::start_with(count, options).unwrap()
}

/// A server that writes through to disk, and may be asked whether it does.
fn durable() -> RedisOptions {
    let rights = RedisConfig::new("localhost").restart_guard(true).trust_aof(true).acl_rule();
    RedisServer::options().persistent().rights(rights)
}

/// Locks with the restart guard, whose quarantines are short.
fn builder(fleet: &RedisFleet) -> LocksBuilder {
    builder_of(fleet.urls(), MAX_TTL)
}

/// Admitted nodes.
fn connect(fleet: &RedisFleet) -> Locks {
    block_on(builder(fleet).init()).unwrap()
}

fn incarnation(locks: &Locks, node: usize) -> Option<Incarnation> {
    Arc::clone(&locks.nodes()[node]).incarnation()
}

fn is_admitted(locks: &Locks, node: usize) -> bool {
    matches!(locks.nodes()[node].standing(), Standing::Marked(marker) if marker.floor.is_some())
}

fn are_admitted(locks: &Locks) -> bool {
    (0..locks.nodes().len()).all(|node| is_admitted(locks, node))
}

/// A way to each of these servers that can lead elsewhere.
fn ways_to<'a>(servers: impl IntoIterator<Item = &'a RedisServer>) -> Network {
    let addresses: Vec<_> = servers.into_iter().map(RedisServer::address).collect();
    Network::start(&addresses, 1).unwrap()
}

/// What a client connects to.
fn url(way: &Way) -> String {
    format!("redis://{}", way.reached_at())
}
