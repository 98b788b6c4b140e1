//! A quorum over stores of different kinds: two Redis masters and a memcached. One of them fails while the lock is held.
//!
//! Whatever it is, each node has one vote, and two of three must grant. A quorum of stores that one already runs needs no
//! new servers, and no single kind of failure takes all of them.
//!
//! ```sh
//! cargo run -p redlock-examples --bin mixed_quorum
//! ```

use std::time::Duration;

use anyhow::Context as _;
use redlock::Locks;
use redlock::testing::servers::{MemcachedServer, RedisFleet, RedisServer};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let redis = RedisFleet::start_with(2, &RedisServer::options().persistent())
        .context("this example needs Redis: install redis-server")?;
    let memcached = MemcachedServer::start().context("this example needs memcached: install it")?;
    println!("nodes: two Redis masters and a memcached started for this example");

    let mut nodes = redis.admin_urls();
    nodes.push(memcached.url());
    // New nodes wait for as long as a lock may last before they grant, unless the operator says that nobody holds one.
    let locks = Locks::builder().nodes(nodes).ttl(Duration::from_secs(5)).init().await?;
    println!("quorum: {} of {}", locks.quorum().size(), locks.quorum().nodes());

    let guard = locks.lock("invoice:42").acquire().await?;
    let first = guard.fencing_token();
    println!("held, valid for another {:.1?}", guard.remaining());

    redis.iter().take(1).for_each(RedisServer::kill);
    println!("a Redis crashes");
    guard.extend().await?;
    println!("extended by the other two, valid for another {:.1?}", guard.remaining());
    guard.release().await?;

    // Any two of them have one in common with any other two: tokens rise, whichever nodes have granted.
    let guard = locks.lock("invoice:42").wait_at_most(Duration::from_secs(30)).acquire().await?;
    anyhow::ensure!(guard.fencing_token() > first, "tokens must rise");
    println!("held again, with a greater fencing token");
    guard.release().await?;
    locks.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
