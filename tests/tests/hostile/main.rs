//! Input from enemies: configurations, and answers of servers that lie, break off, flood or fall silent.
//!
//! `REDLOCK_FUZZ=n` tries n random cases in each property instead of a few; a failure prints its case.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod answers;
mod catalogue;
mod configuration;
mod floods;
mod handshake;
mod quorum;
mod urls;
mod wakeups;

use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{Either, select};
use proptest::test_runner::{Config, RngSeed};
use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::env::Env;
use redlock::node::{AcquireRequest, Node, NodeError, Reply};
use redlock::testing::real_env;
use redlock::{Instant, LockName, OwnerToken, Protections, Ttl};
use redlock_tests::hostile::HostileServer;
use redlock_tests::support::LIMIT;

/// How many random cases a property tries.
fn cases(default: u32) -> Config {
    let default = Config {
        cases: default,
        // The same cases in every run, but for those that somebody asks for.
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    match std::env::var("REDLOCK_FUZZ") {
        Ok(cases) => Config { cases: cases.parse().unwrap(), rng_seed: RngSeed::Random, ..default },
        Err(_) => default,
    }
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts the panics of the library's threads from now on; they would be lost in its tasks.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let earlier = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name().is_some_and(|name| name.starts_with("redlock")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            earlier(panic);
        }));
    });
}

#[track_caller]
fn assert_no_panic() {
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a thread of the library has panicked");
}

/// A node behind a hostile server, which need not be connected yet.
fn start(server: &HostileServer, env: &Arc<dyn Env>) -> Arc<RedisNode> {
    count_panics();
    let config = RedisConfig::from_url(&server.url()).unwrap().connect_timeout(Duration::from_secs(2));
    RedisNode::start(config, Arc::clone(env), Protections::default()).unwrap()
}

fn environment() -> Arc<dyn Env> {
    real_env().unwrap()
}

/// What a future comes to, which must not hang.
#[track_caller]
fn ends<T>(env: &Arc<dyn Env>, what: &str, future: impl Future<Output = T>) -> T {
    let limit = env.sleep_until(env.now().saturating_add(LIMIT));
    match block_on(select(std::pin::pin!(future), limit)) {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("not within {LIMIT:?}: {what}"),
    }
}

fn name(name: &str) -> LockName {
    LockName::new(name).unwrap()
}

fn owner(number: u8) -> OwnerToken {
    OwnerToken::from_bytes([number; 20])
}

fn ttl() -> Ttl {
    Ttl::new(Duration::from_secs(10)).unwrap()
}

fn in_time() -> Instant {
    Instant::now().saturating_add(Duration::from_secs(60))
}

async fn acquire(node: Arc<RedisNode>, lock: &str) -> Result<Reply, NodeError> {
    node.acquire(AcquireRequest::new(name(lock), owner(1), ttl(), in_time())).await
}

/// Waits until an honest server has been found again: nothing that it did before is in the way.
#[track_caller]
fn assert_heals(env: &Arc<dyn Env>, node: &Arc<RedisNode>) {
    redlock_tests::support::eventually("a server that is honest again grants", || {
        let reply = ends(env, "acquiring", acquire(Arc::clone(node), "healed"));
        matches!(reply, Ok(Reply::Granted(_)))
    });
}
