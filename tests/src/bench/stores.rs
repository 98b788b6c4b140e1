//! Acquire and release of free locks on every store, side by side: what a store costs.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use redlock::Locks;
#[cfg(feature = "etcd")]
use redlock::testing::servers::EtcdEnsemble;
use redlock::testing::servers::{MemcachedServer, RedisFleet, ZooKeeperEnsemble};

use super::Result;
use super::contender::Contender;
use super::ours::Ours;
use super::place::{Caller, Io};
use super::plot::{Axis, Plot};
use super::section::Section;
use super::yardstick::{self, Effort, Entry};

/// How much to measure. Some stores are a hundred times slower than others.
#[derive(Clone, Debug, clap::Args)]
pub struct StoresEffort {
    /// Interleaved blocks; every store runs once in each
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(super::stats::FEWEST_BLOCKS as i64..))]
    pub blocks: u32,
    /// Cycles a block for one task; four times as many for several tasks together
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub cycles: u32,
    /// Numbers of concurrent tasks, each with its own names
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_parser = clap::value_parser!(u16).range(1..))]
    pub tasks: Vec<u16>,
}

/// Measures the library on every store.
///
/// # Errors
/// A server that does not start or answer.
pub fn run(effort: &StoresEffort) -> Result<Section> {
    let (five, one) = (RedisFleet::start(5)?, RedisFleet::start(1)?);
    let caches = (0..5).map(|_| MemcachedServer::start()).collect::<Result<Vec<_>, _>>()?;
    let zookeeper = ZooKeeperEnsemble::start(3)?;
    let directory = tempfile::tempdir()?;
    let cache = |server: &MemcachedServer| format!("memcached://{}", server.address());
    // A server belongs to one set of nodes.
    let alone = MemcachedServer::start()?;
    #[allow(unused_mut, reason = "etcd joins them where it is built in")]
    let mut stores = vec![
        ("memory", Vec::new()),
        ("file", vec![format!("file://{}", directory.path().display())]),
        ("redis, 1", one.admin_urls()),
        ("redis, 5", five.admin_urls()),
        ("memcached, 1", vec![cache(&alone)]),
        ("memcached, 5", caches.iter().map(cache).collect()),
        ("zookeeper, 3 members", vec![format!("zookeeper://{}", zookeeper.addresses().join(","))]),
    ];
    #[cfg(feature = "etcd")]
    let etcd = EtcdEnsemble::start(3)?;
    #[cfg(feature = "etcd")]
    stores.push(("etcd, 3 members", vec![format!("etcd://{}", etcd.addresses().join(","))]));
    let entry = |name| {
        let entry = Entry::here(name, Caller::CurrentThread, Io::Callers, connect);
        if name == "redis, 5" { entry } else { entry.against(&["redis, 5"]) }
    };
    let entries = stores.into_iter().map(|(name, urls)| (entry(name), urls)).collect();
    let blocks = Effort { blocks: effort.blocks, cycles: effort.cycles };
    let all = yardstick::measure_each("stores", entries, &effort.tasks, &blocks)?;
    let mut section = Section::new("All stores side by side").text(
        "Acquire and release of free locks, with fencing tokens, from a current-thread runtime. An ensemble is one node of the \
         lock, and counts among its own members; memcached and Redis are counted by the client.",
    );
    if let Some(one) = all.first() {
        section = section.plot(Plot {
            file: "stores",
            title: format!("Acquire + release on each store, {} task(s)", one.tasks),
            across: Axis::percentile("share of the cycles"),
            up: Axis::logarithmic("time, us"),
            lines: one.percentiles(),
        });
    }
    for measured in &all {
        section = section.table(measured.extent(), measured.table());
        section = section.table("Compared block by block", measured.ratios());
    }
    Ok(section)
}

/// Connects a [`Locks`] to these nodes, or to a table in this process where there are none.
fn connect(urls: Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>> {
    async move {
        let builder = Locks::builder().ttl(Duration::from_secs(10)).node_timeout(Duration::from_secs(2));
        let builder = if urls.is_empty() { builder.memory() } else { builder.nodes(urls) };
        Ok(Arc::new(Ours(builder.init().await?)) as Arc<dyn Contender>)
    }
    .boxed()
}
