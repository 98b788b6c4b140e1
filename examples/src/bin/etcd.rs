//! A lock on an etcd ensemble, of which one member fails while the lock is held.
//!
//! The ensemble is one node with one vote: it agrees within itself. The example starts one of three members.
//!
//! ```sh
//! cargo run -p redlock-examples --features etcd --bin etcd
//! ```

use std::time::Duration;

use anyhow::Context as _;
use redlock::testing::servers::EtcdEnsemble;
use redlock::{ExtendError, Locks};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let ensemble = EtcdEnsemble::start(3).context("this example needs etcd: install etcd-server")?;
    println!("etcd: three members started for this example");

    // All members in one URL: `etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379`. If it is the leader that
    // fails, another one follows within a second or two: give a node that much time.
    let builder = || Locks::builder().nodes([ensemble.url()]).node_timeout(Duration::from_secs(2));
    let locks = builder().build().await?;
    let guard = locks.lock("leader").ttl(Duration::from_secs(15)).acquire().await?;
    let first = guard.fencing_token();
    println!("held, valid for another {:.0?}", guard.remaining());

    // Another program waits for it. etcd tells it when the lock is free.
    let others = builder().build().await?;
    let waiting = tokio::spawn(async move {
        let guard = others.lock("leader").wait_at_most(Duration::from_secs(60)).acquire().await?;
        let token = guard.fencing_token();
        guard.release().await?;
        anyhow::Ok(token)
    });

    ensemble.member(0).kill();
    println!("one member crashes");
    // The guard renews itself; this only shows when it has got through again.
    while let Err(error) = guard.extend().await {
        if let ExtendError::Lost(reason) = error {
            anyhow::bail!("the lock was lost: {reason}");
        }
    }
    println!("still held: the other two have extended it");

    guard.release().await?;
    let second = waiting.await??;
    anyhow::ensure!(second > first, "tokens must rise");
    println!("released; the next holder has a greater fencing token");
    locks.shutdown(Duration::from_secs(2)).await;
    Ok(())
}
