//! A guard needs no runtime of its holder.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{LIMIT, assert_no_key_is_left, builder, connect, servers_with};
use tokio::runtime::{self, Runtime};

fn runtime(workers: usize) -> Runtime {
    runtime::Builder::new_multi_thread().worker_threads(workers).build().unwrap()
}

#[test]
fn a_guard_dropped_outside_any_runtime_releases() {
    let fleet = RedisFleet::start(5).unwrap();
    let guard = runtime(1).block_on(connect(&fleet).lock("a").acquire()).unwrap();
    assert!(runtime::Handle::try_current().is_err());
    assert!(servers_with(&fleet, "redlock:a") >= 3);
    drop(guard);
    assert_no_key_is_left(&fleet);
}

#[test]
fn blocking_calls_inside_a_runtime_come_to_their_end_however_many_they_are() {
    let fleet = RedisFleet::start(5).unwrap();
    let (done, finished) = std::sync::mpsc::channel();
    let builder = builder(&fleet);
    thread::spawn(move || {
        runtime(1).block_on(async {
            // All of it within one step of the task, as tokio sees it.
            let locks = builder.build_blocking().unwrap();
            for _ in 0..50 {
                locks.lock("a").acquire().unwrap().release().unwrap();
                locks.preflight();
            }
        });
        done.send(()).unwrap();
    });
    finished.recv_timeout(LIMIT).expect("a blocking call waits for ever");
}

#[test]
fn a_guard_outlives_the_runtime_that_made_it() {
    let fleet = RedisFleet::start(5).unwrap();
    let runtime = runtime(2);
    let guard = runtime.block_on(async {
        let locks = builder(&fleet).build().await.unwrap();
        let lock = locks.lock("a");
        tokio::spawn(async move { lock.acquire().await }).await.unwrap().unwrap()
    });
    drop(runtime);
    // The `Locks` has gone too; the guard alone is left.
    let before = guard.valid_until();
    assert!(block_on(guard.extend()).unwrap() > before);
    drop(guard);
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_guard_is_renewed_after_the_runtime_that_made_it_has_gone() {
    const TTL: Duration = Duration::from_secs(2);
    let fleet = RedisFleet::start(5).unwrap();
    let runtime = runtime(2);
    let guard = runtime.block_on(connect(&fleet).lock("a").ttl(TTL).acquire()).unwrap();
    drop(runtime);
    let started = Instant::now();
    while started.elapsed() < TTL * 2 {
        assert!(guard.is_valid());
        thread::sleep(Duration::from_millis(5));
    }
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_guard_moved_to_another_thread_is_as_good_there() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let released = thread::spawn(move || {
        assert!(guard.is_valid());
        let before = guard.valid_until();
        assert!(block_on(guard.extend()).unwrap() > before);
        block_on(guard.release())
    });
    released.join().unwrap().unwrap();
    assert_no_key_is_left(&fleet);
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    thread::spawn(move || drop(guard)).join().unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_guard_is_renewed_while_every_worker_of_the_callers_runtime_is_blocked() {
    const TTL: Duration = Duration::from_secs(2);
    const WORKERS: usize = 2;
    let fleet = RedisFleet::start(5).unwrap();
    let locks = connect(&fleet);
    let runtime = runtime(WORKERS);
    let lock = locks.lock("a").ttl(TTL);
    let guard = runtime.block_on(runtime.spawn(async move { lock.acquire().await })).unwrap().unwrap();
    let before = guard.valid_until();
    let blocked: Vec<_> = (0..WORKERS)
        .map(|_| {
            runtime.spawn(async {
                let started = Instant::now();
                while started.elapsed() < TTL * 2 {
                    hint::spin_loop();
                }
            })
        })
        .collect();
    while blocked.iter().any(|task| !task.is_finished()) {
        assert!(guard.is_valid());
        thread::sleep(Duration::from_millis(5));
    }
    assert!(guard.is_valid());
    assert!(guard.valid_until() > before.saturating_add(TTL));
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}
