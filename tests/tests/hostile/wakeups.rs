//! The connection on which a server tells what changes: lies there cost time, never a lock.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::Locks;
use redlock::backend::redis::RedisConfig;
use redlock::node::Node;
use redlock::testing::servers::RedisServer;
use redlock_tests::hostile::{Deed, HostileServer};
use redlock_tests::support::{LIMIT, LONG, eventually};

use crate::catalogue::{lies, silences};
use crate::{assert_no_panic, count_panics, ends, environment, name, start};

#[test]
fn a_waiter_gets_its_lock_whatever_the_server_tells_about_changes() {
    count_panics();
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let replaced = lies().into_iter().step_by(2).map(Deed::Replace);
    let appended = lies().into_iter().skip(1).step_by(2).map(Deed::Append);
    let deeds: Vec<_> = replaced.chain(appended).chain(silences()).collect();
    let server = HostileServer::before(&real);
    for command in ["PTTL", "CLIENT TRACKING", "HELLO"] {
        // A `Locks` for each command: wake-ups that have failed are tried again after a while alone.
        let [holder, locks] = [real.url(), server.url()].map(|url| {
            let config = RedisConfig::from_url(&url).unwrap();
            block_on(Locks::builder().restart_guard(false).ttl(LONG).redis(config).build()).unwrap()
        });
        for deed in &deeds {
            let guard = ends(&env, "acquiring", holder.lock("a").acquire()).unwrap();
            server.on(command, deed.clone());
            let waiting = locks.lock("a");
            let waiter = thread::spawn(move || block_on(waiting.wait_at_most(LIMIT).acquire()));
            // A moment for the waiter to look; whether it has is not of the essence.
            thread::sleep(Duration::from_millis(5));
            block_on(guard.release()).unwrap();
            let guard = waiter.join().unwrap().unwrap();
            server.be_honest();
            block_on(guard.release()).unwrap();
        }
        server.be_honest();
        ends(&env, "shutting down", locks.shutdown(Duration::from_secs(20)));
        assert_no_panic();
    }
}

#[test]
fn a_watch_ends_or_is_told_and_leaves_nothing() {
    let (real, env) = (RedisServer::start().unwrap(), environment());
    real.command(&["SET", "redlock:a", "theirs", "PX", "600000"]).unwrap();
    for command in ["PTTL", "CLIENT TRACKING", "HELLO"] {
        let server = HostileServer::before(&real);
        for lie in lies() {
            server.be_honest();
            let node = start(&server, &env);
            ends(&env, "connecting", Arc::clone(&node).probe()).unwrap();
            server.on(command, Deed::Replace(lie));
            // A watch that stands says nothing until the key is gone.
            drop(ends(&env, command, Arc::clone(&node).watch(name("a"))));
        }
        eventually("no connection is left", || server.connections() == 0);
        assert_no_panic();
    }
}
