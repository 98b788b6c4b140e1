//! Ten contenders for a lock within one process; who finds it taken gives up at once.
//!
//! The second program of the chapter on locks in *Advanced Go Programming*.
//!
//! ```sh
//! cargo run -p redlock-examples --bin in_process_trylock
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redlock::{LockGuard, Locks};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let locks = Locks::builder().memory().build().await?;
    let counter = Arc::new(AtomicU32::new(0));

    let mut contenders = JoinSet::new();
    for _ in 0..10 {
        contenders.spawn(contend(locks.clone(), Arc::clone(&counter)));
    }
    // The guard comes back from the task that has it, so that the lock is taken until all of them have tried.
    let mut guards = Vec::new();
    while let Some(contender) = contenders.join_next().await {
        guards.extend(contender??);
    }
    println!("{} of 10 had the lock", guards.len());

    drop(guards);
    locks.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn contend(locks: Locks, counter: Arc<AtomicU32>) -> anyhow::Result<Option<LockGuard>> {
    // `None` says that somebody else has it. An error would say that it is not known.
    let Some(guard) = locks.lock("counter").try_acquire().await? else {
        println!("lock failed");
        return Ok(None);
    };
    let current = counter.fetch_add(1, Ordering::Relaxed) + 1;
    println!("current counter {current}");
    Ok(Some(guard))
}
