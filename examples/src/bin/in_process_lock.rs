//! The lock within one process, without a server: 1000 tasks add 1 to a number, without the lock and with it.
//!
//! The first program of the chapter on locks in *Advanced Go Programming*. The memory backend serves tests and programs that run
//! once; the very same code takes a lock of many machines when it is given other nodes.
//!
//! ```sh
//! cargo run -p redlock-examples --bin in_process_lock
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use redlock::Locks;
use tokio::task::JoinSet;

const TASKS: u32 = 1_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let locks = Locks::builder().memory().build().await?;

    println!("without the lock: {} of {TASKS}", count(None).await?);

    let started = Instant::now();
    println!("with the lock: {} of {TASKS}", count(Some(&locks)).await?);
    println!("latency: {:.1?}", started.elapsed());

    locks.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

/// Has each of many tasks add 1 to a counter, under the lock if there is one.
async fn count(locks: Option<&Locks>) -> anyhow::Result<u32> {
    let counter = Arc::new(AtomicU32::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (lock, counter) = (locks.map(|locks| locks.lock("counter")), Arc::clone(&counter));
        tasks.spawn(async move {
            // Waits in line for as long as it takes. Dropped at the end, the guard releases, and the next one has it.
            let _guard = match &lock {
                Some(lock) => Some(lock.acquire().await?),
                None => None,
            };
            // Read and written in two steps, between which others run: without the lock, updates get lost.
            let seen = counter.load(Ordering::Relaxed);
            tokio::task::yield_now().await;
            counter.store(seen + 1, Ordering::Relaxed);
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(counter.load(Ordering::Relaxed))
}
