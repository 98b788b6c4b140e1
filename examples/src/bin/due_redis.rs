//! The program of the manual of *due* (a Go framework): 100 tasks take one lock in turn, on one Redis, with due's own
//! `etc.toml`.
//!
//! Two things are made good: it prints the counter, and it ends with an error where a lock was not acquired, so that no
//! task is left out in silence.
//!
//! ```sh
//! cargo run -p redlock-examples --bin due_redis                         # etc/etc.toml, on a Redis of its own
//! cargo run -p redlock-examples --bin due_redis -- examples/etc/etc.toml    # a file, as it is
//! ```

use std::env;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use redlock::Locks;
use redlock::config::Config;
use redlock_examples::Nodes;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match env::args_os().nth(1) {
        Some(file) => count(&Locks::from_toml(file).await?).await,
        None => {
            let nodes = Nodes::find(1)?;
            count(&start_elsewhere(&nodes).await?).await
        }
    }
}

/// The shipped file, with the address of another Redis in the place of its own.
async fn start_elsewhere(nodes: &Nodes) -> anyhow::Result<Locks> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/etc.toml");
    let address = nodes.urls()[0].trim_start_matches("redis://");
    let text = std::fs::read_to_string(&file)?.replace("127.0.0.1:6379", address);
    Ok(Config::from_toml_str(&text, &file)?.into_builder()?.build().await?)
}

async fn count(locks: &Locks) -> anyhow::Result<()> {
    let total = 100;
    let counter = Arc::new(AtomicU32::new(0));
    let started = Instant::now();

    let mut tasks = JoinSet::new();
    for _ in 0..total {
        let (lock, counter) = (locks.lock("lock"), Arc::clone(&counter));
        tasks.spawn(async move {
            let _guard = lock.acquire().await?;
            // Read and written in two steps with a pause between them: without the lock, updates get lost.
            let seen = counter.load(Ordering::Relaxed);
            tokio::task::yield_now().await;
            counter.store(seen + 1, Ordering::Relaxed);
            // Dropped here, the guard releases, as `defer locker.Release(ctx)` does.
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }

    let counter = counter.load(Ordering::Relaxed);
    println!("total   : {total}");
    println!("counter : {counter}");
    println!("latency : {:.6}s", started.elapsed().as_secs_f64());
    assert_eq!(counter, total, "the lock has let two tasks in at once");

    locks.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
