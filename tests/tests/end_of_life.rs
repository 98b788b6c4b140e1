//! No thread and no connection is left when the last user has gone, or when a build has failed.
//!
//! Threads belong to the whole process, so that the tests here run one at a time, in a program of their own.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

use std::fs;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

use futures::executor::block_on;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{Locks, LocksBuilder};
use redlock_tests::support::{assert_no_key_is_left, builder, connect, eventually};

static ALONE: Mutex<()> = Mutex::new(());

/// The names of the library's threads in this process.
fn threads() -> Vec<String> {
    fs::read_dir("/proc/self/task")
        .unwrap()
        // A thread may end while it is looked at.
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("redlock-"))
        .map(|name| name.trim_end().to_owned())
        .collect()
}

/// How many others are connected to a server.
fn clients(server: &RedisServer) -> usize {
    server.command(&["CLIENT", "LIST"]).unwrap().text().unwrap().lines().count() - 1
}

#[track_caller]
fn assert_nothing_is_left(fleet: &RedisFleet) {
    eventually("all connections are closed", || fleet.iter().all(|server| clients(server) == 0));
    eventually("all threads have ended", || threads().is_empty());
}

#[test]
fn dropping_all_locks_and_guards_closes_all_connections_and_ends_all_threads() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let guards = ["a", "b"].map(|name| block_on(locks.lock(name).acquire()).unwrap());
    assert!(fleet.iter().all(|server| clients(server) == 2));
    eventually("an I/O thread and a timer for each", || threads().len() == 4);
    drop((locks.clone(), other));
    eventually("those of the other have gone", || threads().len() == 2);
    drop(locks);
    // The guards alone keep them.
    for guard in &guards {
        block_on(guard.extend()).unwrap();
    }
    assert!(fleet.iter().all(|server| clients(server) == 1));
    eventually("the guards have the threads that they need", || threads().len() == 2);
    drop(guards);
    assert_no_key_is_left(&fleet);
    assert_nothing_is_left(&fleet);
}

#[test]
fn what_is_still_to_be_released_is_released_before_the_threads_end() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    fleet.server(0).pause().unwrap();
    drop(block_on(locks.lock("a").acquire()).unwrap());
    drop(locks);
    assert!(!threads().is_empty(), "a node has not confirmed yet");
    fleet.server(0).resume().unwrap();
    assert_no_key_is_left(&fleet);
    assert_nothing_is_left(&fleet);
}

#[test]
fn after_a_shutdown_everything_ends_too() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    block_on(locks.shutdown(std::time::Duration::ZERO));
    drop(guard);
    drop(locks);
    assert_no_key_is_left(&fleet);
    assert_nothing_is_left(&fleet);
}

#[test]
fn a_build_that_fails_or_is_dropped_leaves_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let fleet = RedisFleet::start(3).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("redis://{}", silent.local_addr().unwrap());
    let guarded = RedisServer::options().arg("--requirepass", "x").start().unwrap();
    let twin = format!("redis://localhost:{}", fleet.server(0).port());
    let with = |url: &str| builder(&fleet).nodes([url]);
    let bad: [LocksBuilder; 6] = [
        with(&fleet.server(0).url()),
        with(&twin),
        with(&format!("redis://{}", guarded.address())),
        with("not an address"),
        with(&silent).quorum(4),
        builder(&fleet).ttl(std::time::Duration::ZERO),
    ];
    for builder in bad {
        block_on(builder.build()).unwrap_err();
        assert_nothing_is_left(&fleet);
    }
    for polls in [1, 2] {
        let mut build =
            Box::pin(Locks::builder().restart_guard(false).nodes(fleet.urls()).nodes([&silent]).build());
        for _ in 0..polls {
            assert!(futures::FutureExt::now_or_never(&mut build).is_none());
        }
        drop(build);
        assert_nothing_is_left(&fleet);
    }
}
