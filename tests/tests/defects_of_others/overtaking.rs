//! A release never overtakes the acquire that it undoes: thousands of cycles on five real servers leave no key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fleet::{self, assert_nothing_is_left};

const CYCLES: usize = 12_000;
const TASKS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_uncontended_cycles_leave_no_key() {
    // redsync, pottery: DEL overtakes SET on another connection of the pool. redis-rs: a client that drops the slowest
    // replies skips commands that are still queued.
    let fleet = fleet::start(5);
    let locks = fleet::locks(&fleet).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let locks = locks.clone();
            tokio::spawn(async move {
                for round in 0..CYCLES / TASKS {
                    let guard = locks.lock(format!("{task}:{round}")).acquire().await.unwrap();
                    if round % 2 == 0 { guard.release().await.unwrap() } else { drop(guard) }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_nothing_is_left(&locks, &fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_contended_attempts_that_fail_fast_leave_no_key() {
    // redsync: 427 keys left by 12,000 cycles that fail fast.
    let fleet = fleet::start(5);
    let locks = fleet::locks(&fleet).await;
    // Of processes of their own, so that only the servers decide between them.
    let mut rivals = Vec::new();
    for _ in 0..TASKS {
        rivals.push(fleet::locks(&fleet).await);
    }
    let held = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = rivals
        .iter()
        .cloned()
        .map(|locks| {
            let held = Arc::clone(&held);
            tokio::spawn(async move {
                for _ in 0..CYCLES / TASKS {
                    if let Some(guard) = locks.lock("a").try_acquire().await.unwrap() {
                        held.fetch_add(1, Ordering::Relaxed);
                        guard.release().await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let held = held.load(Ordering::Relaxed);
    assert!((1..CYCLES).contains(&held), "{held} of {CYCLES}: there was contention");
    for rival in &rivals {
        assert_eq!(rival.shutdown(fleet::LONG).await.unsettled, 0);
    }
    assert_nothing_is_left(&locks, &fleet).await;
}
