//! Five memcached servers as a quorum.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::MemcachedServer;
use redlock::{Locks, LocksBuilder};
use redlock_tests::support::eventually;

use crate::{ask, server};

fn builder(servers: &[MemcachedServer]) -> LocksBuilder {
    Locks::builder()
        .nodes(servers.iter().map(MemcachedServer::url))
        .ttl(Duration::from_secs(30))
        .node_timeout(Duration::from_millis(500))
        .retries(0)
}

fn fleet() -> Vec<MemcachedServer> {
    (0..5).map(|_| server()).collect()
}

#[test]
fn locks_are_held_while_a_server_is_dead_and_tokens_rise() {
    let servers = fleet();
    let locks = block_on(builder(&servers).restart_guard(false).build()).unwrap();
    let rival = block_on(builder(&servers).restart_guard(false).build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    assert!(block_on(rival.lock("a").try_acquire()).unwrap().is_none());
    servers[0].kill();
    let mut last = guard.fencing_token().unwrap();
    block_on(guard.extend()).unwrap();
    block_on(guard.release()).unwrap();
    for round in 0..10 {
        let locks = if round % 2 == 0 { &rival } else { &locks };
        let guard = block_on(locks.lock("a").acquire()).unwrap();
        let token = guard.fencing_token().unwrap();
        assert!(token > last, "{token} behind {last}");
        last = token;
        block_on(guard.release()).unwrap();
    }
    eventually("no key is left", || {
        servers[1..].iter().all(|server| ask(server, "mg redlock:a") == "EN\r\n")
    });
}

#[test]
fn a_majority_that_was_flushed_grants_nothing_while_somebody_may_hold_it() {
    let servers = fleet();
    let guarded = || builder(&servers).max_ttl(Duration::from_secs(30));
    let locks = block_on(guarded().init()).unwrap();
    let rival = block_on(guarded().build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let token = guard.fencing_token().unwrap();
    for server in &servers[..3] {
        assert_eq!(ask(server, "flush_all"), "OK\r\n");
    }
    for _ in 0..5 {
        let rival = block_on(rival.lock("a").try_acquire());
        assert!(!matches!(rival, Ok(Some(_))), "two holders, since three of five have forgotten the first");
    }
    // The holder heals them by its renewals.
    eventually("it has its lock back on all servers", || {
        let _ = block_on(guard.extend());
        servers.iter().all(|server| ask(server, "mg redlock:a").starts_with("HD"))
    });
    assert!(guard.is_valid());
    assert_eq!(guard.fencing_token(), Some(token));
    block_on(guard.release()).unwrap();

    // What this costs without the guard.
    let unguarded = || builder(&servers).restart_guard(false).max_ttl(Duration::from_secs(30));
    let (locks, rival) = (block_on(unguarded().build()).unwrap(), block_on(unguarded().build()).unwrap());
    let _first = block_on(locks.lock("b").acquire()).unwrap();
    servers[..3].iter().for_each(|server| drop(ask(server, "flush_all")));
    assert!(block_on(rival.lock("b").try_acquire()).unwrap().is_some(), "two holders");
}
