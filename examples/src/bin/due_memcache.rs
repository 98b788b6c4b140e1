//! The program of the manual of *due* (a Go framework) for memcached: 100 tasks take one lock in turn, with due's own file.
//!
//! As in `due_redis`, it prints the counter, and ends with an error where a lock was not acquired.
//!
//! ```sh
//! cargo run -p redlock-examples --bin due_memcache                              # etc/memcache.toml, on a memcached of its own
//! cargo run -p redlock-examples --bin due_memcache -- examples/etc/memcache.toml    # a file, as it is
//! ```
//!
//! A file that has both `[lock.redis]` and `[lock.memcache]` says which one it is: `default = "memcache"` in `[lock]`.

use std::env;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use redlock::Locks;
use redlock::config::Config;
use redlock::testing::servers::MemcachedServer;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match env::args_os().nth(1) {
        Some(file) => count(&Locks::from_toml(file).await?).await,
        None => {
            let server = MemcachedServer::start()
                .context("this example needs memcached: install it, or give a file")?;
            println!("memcached: started for this example");
            count(&start_elsewhere(&server).await?).await
        }
    }
}

/// The shipped file, with the address of another memcached in the place of its own.
async fn start_elsewhere(server: &MemcachedServer) -> anyhow::Result<Locks> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/memcache.toml");
    let text = std::fs::read_to_string(&file)?.replace("127.0.0.1:11211", &server.address());
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
    anyhow::ensure!(counter == total, "updates were lost");
    locks.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
