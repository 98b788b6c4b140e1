//! A lock on a ZooKeeper ensemble: contenders wait in line, and one member fails meanwhile.
//!
//! The ensemble is one node with one vote: it agrees within itself. The example starts one of three members.
//!
//! ```sh
//! cargo run -p redlock-examples --bin zookeeper
//! ```

use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use redlock::testing::servers::ZooKeeperEnsemble;
use redlock::{ExtendError, Locks};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let ensemble = ZooKeeperEnsemble::start(3)
        .context("this example needs ZooKeeper and a Java runtime: `apt-get install zookeeperd`")?;
    println!("ZooKeeper: three members started for this example");

    // All members in one URL: `zookeeper://10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181`. ZooKeeper is for coarse locks: give it
    // time, for an election too.
    let builder = || {
        Locks::builder()
            .nodes([ensemble.url()])
            .ttl(Duration::from_secs(15))
            .node_timeout(Duration::from_secs(3))
    };
    let locks = builder().build().await?;
    let guard = locks.lock("deployment").acquire().await?;
    println!("held, valid for another {:.0?}", guard.remaining());

    // Tokens, in the order of holding.
    let (sender, tokens) = mpsc::channel();
    sender.send(guard.fencing_token())?;

    // Three programs wait for it; ZooKeeper tells them when it is their turn.
    let mut waiting = JoinSet::new();
    for number in 1..=3 {
        let (others, sender) = (builder().build().await?, sender.clone());
        waiting.spawn(async move {
            let guard = others.lock("deployment").wait_at_most(Duration::from_secs(60)).acquire().await?;
            println!("contender {number}: has it");
            sender.send(guard.fencing_token())?;
            guard.release().await?;
            others.shutdown(Duration::from_secs(3)).await;
            anyhow::Ok(())
        });
    }

    let leader = ensemble.leader().context("the ensemble has a leader")?;
    ensemble.member((leader + 1) % ensemble.len()).kill();
    println!("one member crashes");
    // The guard renews itself; this only shows when it has got through again.
    while let Err(error) = guard.extend().await {
        if let ExtendError::Lost(reason) = error {
            anyhow::bail!("the lock was lost: {reason}");
        }
    }
    println!("still held: two of three members are a majority");

    guard.release().await?;
    println!("released");
    while let Some(contender) = waiting.join_next().await {
        contender??;
    }
    anyhow::ensure!(tokens.try_iter().is_sorted_by(|one, next| one < next), "tokens must rise");
    println!("fencing tokens have risen from holder to holder");
    locks.shutdown(Duration::from_secs(3)).await;
    Ok(())
}
