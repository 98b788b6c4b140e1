//! One set of locks for the whole process, as programs of *due* (a Go framework) have it: it is set when the program starts,
//! and locks are made by name wherever they are needed.
//!
//! | due | here |
//! |---|---|
//! | `lock.SetMaker(redis.NewMaker())` | `redlock::set_default(locks)` |
//! | `lock.Make("name")` | `redlock::lock("name")` |
//! | `locker.Acquire(ctx)`, `TryAcquire` | `lock.acquire().await`, `try_acquire` |
//! | `defer locker.Release(ctx)` | dropping the guard, or `guard.release().await` |
//! | `lock.Close()` | `redlock::close_default(patience).await` |
//!
//! ```sh
//! cargo run -p redlock-examples --bin process_wide_default
//! ```

use std::time::Duration;

use redlock::{AcquireError, Locks};
use redlock_examples::Nodes;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Before it is set, a lock can be made but not acquired.
    match transfer("alice", "bob").await {
        Err(error @ AcquireError::NoDefault) => println!("too early: {error}"),
        other => anyhow::bail!("expected an error, not {other:?}"),
    }

    let nodes = Nodes::find(3)?;
    redlock::set_default(Locks::builder().nodes(nodes.urls()).build().await?);

    transfer("alice", "bob").await?;

    // Code without an async runtime has the same locks.
    let work = std::thread::spawn(|| redlock::blocking::lock("report").acquire().map(drop));
    work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    println!("report: written by a thread");

    // At the end of the program: waits for guards and releases.
    let Some(report) = redlock::close_default(Duration::from_secs(5)).await else {
        anyhow::bail!("it was set");
    };
    println!(
        "closed: {} guards are open, {} releases not seen to their end",
        report.open_guards, report.unsettled
    );
    Ok(())
}

/// Deep in the program, where nobody hands a `Locks` down.
async fn transfer(from: &str, to: &str) -> Result<(), AcquireError> {
    let _guards =
        redlock::Lock::acquire_all([from, to].map(|name| redlock::lock(format!("account:{name}")))).await?;
    println!("transfer: both accounts are locked");
    Ok(())
}
