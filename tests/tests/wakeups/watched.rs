//! Waiters on real servers, and what the servers know of them.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{LockGuard, Locks};
use redlock_tests::support::{builder, eventually};

/// The key of the lock `a`.
pub(crate) const KEY: &str = "redlock:a";

/// A client that asks by itself once in an hour or so: what brings its waiters on is that they are told.
pub(crate) fn client(fleet: &RedisFleet) -> Locks {
    block_on(builder(fleet).acquire_interval(Duration::from_secs(3_600)).build()).unwrap()
}

/// A thread that waits for the lock `a`.
pub(crate) fn waiter(locks: &Locks) -> JoinHandle<LockGuard> {
    let lock = locks.lock("a");
    thread::spawn(move || block_on(lock.acquire()).unwrap())
}

/// Somebody else, who knows nothing of this library, takes the lock `a`.
pub(crate) fn occupy(server: &RedisServer, ttl: Duration) {
    let millis = ttl.as_millis().to_string();
    server.command(&["SET", KEY, "stranger", "NX", "PX", &millis]).unwrap();
}

/// A number out of a section of INFO; 0 if there is none.
pub(crate) fn info(server: &RedisServer, section: &str, field: &str) -> u64 {
    let reply = server.command(&["INFO", section]).unwrap();
    let text = reply.text().unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.map_or(0, |value| value.trim().parse().unwrap())
}

/// How often a command was called, by scripts too.
pub(crate) fn calls(server: &RedisServer, command: &str) -> u64 {
    let reply = server.command(&["INFO", "commandstats"]).unwrap();
    let lead = format!("cmdstat_{command}:calls=");
    let line = reply.text().unwrap().lines().find_map(|line| line.strip_prefix(&lead)).map(str::to_owned);
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

/// How many connections have the server tell them of changes.
pub(crate) fn listeners(server: &RedisServer) -> u64 {
    info(server, "clients", "tracking_clients")
}

/// Waits until somebody has been refused and watches the key.
pub(crate) fn eventually_watched<'a>(servers: impl IntoIterator<Item = &'a RedisServer>) {
    for server in servers {
        // The script that refuses reads the TTL once, who watches does it again.
        eventually("a waiter watches", || listeners(server) > 0 && calls(server, "pttl") >= 2);
    }
}

/// How long a waiter takes from `free` on, in the best of some tries. What it is not told a waiter finds out by a look of
/// its own, a second after it began to wait at the earliest.
pub(crate) fn best_wait(fleet: &RedisFleet, ttl: Duration, mut free: impl FnMut()) -> Duration {
    let wait = |_| {
        let locks = client(fleet);
        fleet.iter().for_each(|server| {
            occupy(server, ttl);
            server.command(&["CONFIG", "RESETSTAT"]).unwrap();
        });
        let waiter = waiter(&locks);
        eventually_watched(fleet);
        let started = Instant::now();
        free();
        let guard = waiter.join().unwrap();
        let waited = started.elapsed();
        block_on(guard.release()).unwrap();
        waited
    };
    (0..5).map(wait).min().unwrap()
}

/// Short enough that nobody can have found out by a look of its own.
pub(crate) const TOLD: Duration = Duration::from_millis(800);
