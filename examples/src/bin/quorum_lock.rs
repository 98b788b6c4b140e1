//! A lock over five independent Redis masters: acquire, check, extend, release.
//!
//! Three of the five must grant it, so that two may fail.
//!
//! ```sh
//! cargo run -p redlock-examples --bin quorum_lock
//! ```

use redlock::Locks;
use redlock_examples::Nodes;
use std::time::Duration;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let nodes = Nodes::find(5)?;

    // Once per program: it connects to all nodes. Clone it, or pass `&Locks`, to wherever locks are needed.
    let locks = Locks::builder().nodes(nodes.urls()).build().await?;
    println!("quorum: {} of {}", locks.quorum().size(), locks.quorum().nodes());

    // Waits until the lock is held, 30 s at most. Nodes keep it for 10 s after the last renewal.
    let lock = locks.lock("invoice:42").ttl(Duration::from_secs(10)).wait_at_most(Duration::from_secs(30));
    let guard = lock.acquire().await?;
    println!("held: {}", guard.name());

    // The guard renews itself while it lives. Whether the lock is still held is asked right before a step that matters:
    // the nodes may have been out of reach for longer than the TTL.
    if !guard.is_valid() {
        anyhow::bail!("the lock was lost before the work began");
    }
    println!("valid for another {:.1?}", guard.remaining());

    // Before a step that must not run short of time, ask for a whole TTL at once.
    let before = guard.valid_until();
    let after = guard.extend().await?;
    println!("extended: {}", after > before);

    // Dropping the guard releases as well, in the background; this waits, and says how it went.
    guard.release().await?;
    println!("released");

    // At the end of a program, so that nothing is left on a node until its TTL has passed.
    locks.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
