//! Who finds the lock taken gives up at once, for work that one of many does: a nightly report, a cache refresh.
//!
//! ```sh
//! cargo run -p redlock-examples --bin try_lock
//! ```

use std::time::Duration;

use redlock::Locks;
use redlock_examples::Nodes;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let nodes = Nodes::find(3)?;

    // Two of them, as if in two processes: they know each other through the nodes alone.
    let winner = Locks::builder().nodes(nodes.urls()).build().await?;
    let loser = Locks::builder().nodes(nodes.urls()).build().await?;

    let Some(guard) = winner.lock("report:nightly").try_acquire().await? else {
        anyhow::bail!("the report is being written by another program");
    };
    println!("winner: writes the report");

    // `None` is an answer: somebody else has it. An error means that too few nodes answered to say.
    match loser.lock("report:nightly").try_acquire().await? {
        Some(_guard) => anyhow::bail!("two hold one lock"),
        None => println!("loser: somebody else writes it"),
    }

    guard.release().await?;

    // A single try can also fail because two asked at the same moment and split the votes. Who can wait a little,
    // says so.
    let guard = loser.lock("report:nightly").wait_at_most(Duration::from_secs(5)).acquire().await?;
    println!("loser: has it after the winner's release");
    guard.release().await?;

    winner.shutdown(Duration::from_secs(1)).await;
    loser.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
