//! Names that are never used again take no memory for ever.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::Locks;
use redlock::testing::servers::RedisServer;
use redlock_tests::support::eventually;

const NAMES: usize = 20_000;
const WORKERS: usize = 8;

/// What a server may keep for itself: buffers, and tables that shrink late.
const ALLOWANCE: u64 = 512 * 1_024;

fn keys(server: &RedisServer) -> i64 {
    server.command(&["DBSIZE"]).unwrap().integer().unwrap()
}

fn used_memory(server: &RedisServer) -> u64 {
    let info = server.command(&["INFO", "memory"]).unwrap();
    let used = info.text().unwrap().lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.unwrap().trim().parse().unwrap()
}

#[test]
fn the_counters_of_names_that_are_not_used_again_go_away() {
    let server = RedisServer::start().unwrap();
    let builder = Locks::builder().restart_guard(false).nodes([server.url()]).ttl(Duration::from_secs(5));
    let locks = block_on(builder.fencing_retention(Duration::from_millis(100)).build()).unwrap();
    let lock_once = |name: String| {
        let guard = block_on(locks.lock(name).acquire()).unwrap();
        block_on(guard.release()).unwrap();
    };
    lock_once("warm-up".to_owned());
    let before = used_memory(&server);
    let most = thread::scope(|scope| {
        let lock_once = &lock_once;
        for worker in 0..WORKERS {
            scope.spawn(move || {
                (0..NAMES / WORKERS).for_each(|number| lock_once(format!("{worker}-{number}")));
            });
        }
        scope
            .spawn(|| {
                let mut most = (0, 0);
                eventually("a good part of the names is there", || {
                    most = most.max((keys(&server), used_memory(&server)));
                    most.0 > 1_000
                });
                most
            })
            .join()
            .unwrap()
    });
    assert!(most.1 > before, "counters take memory: {before}, {most:?}");
    eventually("all counters have expired", || keys(&server) == 0);
    eventually("the memory is free again", || used_memory(&server) < before + ALLOWANCE);
}
