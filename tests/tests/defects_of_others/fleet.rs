//! Real servers, and what is left on them.

use std::time::{Duration, Instant};

use redlock::Locks;
use redlock::testing::servers::{RedisFleet, RedisServer};

/// So long that no key of a test goes by expiring.
pub(crate) const LONG: Duration = Duration::from_secs(600);

pub(crate) fn start(count: usize) -> RedisFleet {
    RedisFleet::start(count).unwrap()
}

/// A client of all of them, whose keys live for [`LONG`] where a lock says nothing else, and which is patient with
/// servers on a busy machine.
pub(crate) async fn locks(fleet: &RedisFleet) -> Locks {
    let patience = Duration::from_secs(10);
    Locks::builder()
        .restart_guard(false)
        .nodes(fleet.urls())
        .ttl(LONG)
        .node_timeout(patience)
        .build()
        .await
        .unwrap()
}

/// Lets a client see to all that it has begun; then no server may have a key.
pub(crate) async fn assert_nothing_is_left(locks: &Locks, fleet: &RedisFleet) {
    let report = locks.shutdown(Duration::from_secs(60)).await;
    assert_eq!((report.open_guards, report.unsettled), (0, 0));
    assert_eq!(keys(fleet), 0, "{:?}", fleet.lock_keys());
}

pub(crate) fn keys(fleet: &RedisFleet) -> usize {
    fleet.lock_keys().unwrap().iter().map(Vec::len).sum()
}

/// The token that most servers hold under a key.
pub(crate) fn majority(fleet: &RedisFleet, key: &str) -> Option<String> {
    let replies = fleet.iter().map(|server| server.command(&["GET", key]).unwrap());
    let tokens: Vec<_> = replies.filter_map(|reply| reply.text().map(str::to_owned)).collect();
    let votes = |token: &String| tokens.iter().filter(|other| *other == token).count();
    tokens.iter().find(|token| votes(token) > fleet.iter().len() / 2).cloned()
}

/// How long a key will live, in milliseconds; -1: for ever, -2: there is none.
pub(crate) fn pttl(server: &RedisServer, key: &str) -> i64 {
    server.command(&["PTTL", key]).unwrap().integer().unwrap()
}

/// Polls until a condition holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
