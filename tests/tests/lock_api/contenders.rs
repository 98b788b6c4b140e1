//! Many contenders and one counter that only the lock protects.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{HolderProcess, assert_no_key_is_left, builder};
use tokio::runtime;

/// Not atomic in any way that matters: it is read, and written later.
#[derive(Default)]
struct Counter {
    value: AtomicU64,
    holders: AtomicUsize,
    overlaps: AtomicUsize,
}

impl Counter {
    async fn increment(&self) {
        if self.holders.fetch_add(1, Ordering::SeqCst) > 0 {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        let value = self.value.load(Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.value.store(value + 1, Ordering::SeqCst);
        self.holders.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn fifty_tasks_on_two_clients_lose_no_increment() {
    const TASKS: usize = 50;
    const ROUNDS: usize = 4;
    let fleet = RedisFleet::start(5).unwrap();
    let counter = Arc::new(Counter::default());
    let runtime = runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        let clients = [builder(&fleet).build().await.unwrap(), builder(&fleet).build().await.unwrap()];
        let tasks: Vec<_> = (0..TASKS * clients.len())
            .map(|task| {
                let (lock, counter) = (clients[task % clients.len()].lock("counter"), Arc::clone(&counter));
                tokio::spawn(async move {
                    for _ in 0..ROUNDS {
                        let guard = lock.acquire().await.unwrap();
                        counter.increment().await;
                        guard.release().await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(counter.overlaps.load(Ordering::SeqCst), 0);
    assert_eq!(counter.value.load(Ordering::SeqCst), (TASKS * 2 * ROUNDS) as u64);
    assert_no_key_is_left(&fleet);
}

#[test]
fn four_processes_lose_no_increment_of_a_number_in_a_file() {
    const ROUNDS: u64 = 40;
    let fleet = RedisFleet::start(5).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("counter");
    fs::write(&file, "0").unwrap();
    let arguments = ["count", "counter", &ROUNDS.to_string(), file.to_str().unwrap()];
    let mut processes: Vec<_> =
        (0..4).map(|_| HolderProcess::start(env!("CARGO_BIN_EXE_holder"), &arguments, &fleet)).collect();
    for process in &mut processes {
        assert_eq!(process.line(), "done");
    }
    let number: u64 = fs::read_to_string(&file).unwrap().parse().unwrap();
    assert_eq!(number, 4 * ROUNDS);
    assert_no_key_is_left(&fleet);
}
