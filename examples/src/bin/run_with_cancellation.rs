//! `run`: acquires, works, releases, and cancels the work when the lock is lost.
//!
//! The example kills three of its five servers in the middle of the work, so that nobody can renew the lock. With
//! `REDLOCK_NODES` it leaves the servers alone, and the work comes to its end.
//!
//! ```sh
//! cargo run -p redlock-examples --bin run_with_cancellation
//! ```

use std::time::Duration;

use redlock::testing::servers::RedisServer;
use redlock::{Held, Locks, RunError};
use redlock_examples::Nodes;

const STEPS: u32 = 40;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let nodes = Nodes::find(5)?;
    let locks = Locks::builder().nodes(nodes.urls()).build().await?;

    // A short TTL: the loss of a quorum is noticed after 2 s instead of 10 s.
    let lock = locks.lock("migration").ttl(Duration::from_secs(2)).wait_at_most(Duration::from_secs(30));
    match lock.run(|held| migrate(held, &nodes)).await {
        Ok(steps) => println!("finished: {steps} steps under the lock"),
        Err(RunError::Lost(reason)) => println!("lost: {reason}"),
        Err(error) => return Err(error.into()),
    }

    locks.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

/// Work in many steps. It ends at one of its `await`s if the lock is lost; what must not be left half done belongs
/// between two of them, or into a `Drop`.
async fn migrate(held: Held, nodes: &Nodes) -> u32 {
    let _cleanup = Cleanup;
    for step in 1..=STEPS {
        // A view of the lock, to be checked right before a side effect.
        println!("step {step}, valid for another {:.1?}", held.remaining());
        tokio::time::sleep(Duration::from_millis(100)).await;

        if let Some(servers) = nodes.own_servers().filter(|_| step == 3) {
            println!("three of five servers crash");
            servers.iter().take(3).for_each(RedisServer::kill);
        }
    }
    STEPS
}

/// Runs also when the work is cancelled.
struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        println!("cleaning up");
    }
}
