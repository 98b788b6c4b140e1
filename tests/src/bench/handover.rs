//! How long a lock lies idle between a release and the next holder in another client, who is told or polls.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::RedisFleet;
use redlock::{LockGuard, Locks};
use tokio::runtime::Runtime;

use super::{
    Result, machine,
    stats::{self, Ratio},
    table::Table,
};

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    /// Interleaved blocks
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(stats::FEWEST_BLOCKS as i64..))]
    pub blocks: u32,
    /// Handovers a block between two clients
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    pub handovers: u32,
    /// Sizes of fleets
    #[arg(long, value_delimiter = ',', default_value = "5,1", value_parser = clap::value_parser!(u8).range(1..))]
    pub nodes: Vec<u8>,
    /// Clients that contend for one lock, each with connections of its own
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(2..))]
    pub contenders: u8,
}

/// How long the contenders contend in one block, and how long each holds.
const CONTEND: Duration = Duration::from_secs(1);
const HOLD: Duration = Duration::from_millis(1);
/// Who may do everything but be told; then the library polls.
const NOT_TOLD: &[&str] = &["ACL", "SETUSER", "nottold", "on", ">pw", "~*", "+@all", "-client"];

/// Measures, and prints to stdout.
///
/// # Errors
/// A server that does not start or answer.
pub fn run(effort: &Effort) -> Result<()> {
    println!("{}", machine::description()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for &nodes in &effort.nodes {
        let fleet = RedisFleet::start(nodes.into())?;
        println!("{}", measure(&runtime, &fleet, effort)?);
    }
    Ok(())
}

/// Clients of one kind, and what was measured of them, a figure a block.
struct Side {
    name: &'static str,
    clients: Vec<Locks>,
    median: Vec<f64>,
    p99: Vec<f64>,
    turns: Vec<f64>,
}

fn measure(runtime: &Runtime, fleet: &RedisFleet, effort: &Effort) -> Result<String> {
    for server in fleet {
        server.command(NOT_TOLD)?;
    }
    let side = |name, told| -> Result<Side> {
        let clients = (0..effort.contenders).map(|_| connect(runtime, fleet, told));
        let clients = clients.collect::<Result<_>>()?;
        Ok(Side { name, clients, median: Vec::new(), p99: Vec::new(), turns: Vec::new() })
    };
    let mut sides = [side("told", true)?, side("polling", false)?];
    for block in 0..effort.blocks {
        eprint!("\r{} nodes: block {} of {}\x1b[K", fleet.iter().len(), block + 1, effort.blocks);
        std::io::stderr().flush()?;
        let mut random = StdRng::seed_from_u64(block.into());
        let mut order = [0, 1];
        order.shuffle(&mut random);
        for index in order {
            let side = &mut sides[index];
            let mut times = runtime.block_on(handovers(&side.clients, effort.handovers, &mut random))?;
            times.sort_by(f64::total_cmp);
            side.median.push(stats::median(&times));
            side.p99.push(times[(times.len() - 1) * 99 / 100]);
            side.turns.push(runtime.block_on(contend(&side.clients))?);
        }
    }
    eprintln!();
    Ok(report(&sides, fleet.iter().len(), effort))
}

fn report(sides: &[Side; 2], nodes: usize, effort: &Effort) -> String {
    let (blocks, handovers, contenders) = (effort.blocks, effort.handovers, effort.contenders);
    let turns = format!("turns/s of {contenders}");
    let mut table = Table::new(["median of blocks", "handover p50 us", "handover p99 us", &turns]);
    let figures = |side: &Side| [&side.median, &side.p99, &side.turns].map(|values| stats::median(values));
    for side in sides {
        let cells = figures(side).map(|value| format!("{value:.0}"));
        table.row(std::iter::once(side.name.to_owned()).chain(cells));
    }
    let [told, polling] = sides;
    let pairs = [(&told.median, &polling.median), (&told.p99, &polling.p99), (&told.turns, &polling.turns)];
    let ratios = pairs.map(|(told, polling)| match Ratio::paired(told, polling) {
        Some(ratio) => format!("{:.3} [{:.3}, {:.3}]", ratio.mean, ratio.low, ratio.high),
        None => "-".to_owned(),
    });
    table.row(std::iter::once("told / polling [95 %]".to_owned()).chain(ratios));
    format!("## {nodes} node(s), {blocks} blocks of {handovers} handovers\n\n{table}")
}

fn connect(runtime: &Runtime, fleet: &RedisFleet, told: bool) -> Result<Locks> {
    let mut builder = Locks::builder().ttl(Duration::from_secs(30));
    for url in fleet.urls() {
        let config = RedisConfig::from_url(&url)?;
        builder = builder.redis(if told { config } else { config.username("nottold").password("pw") });
    }
    Ok(runtime.block_on(builder.build())?)
}

/// The lock goes to and fro between two clients. Microseconds from the call of release until the other one holds.
async fn handovers(clients: &[Locks], count: u32, random: &mut StdRng) -> Result<Vec<f64>> {
    let [one, other, ..] = clients else { return Err("too few clients".into()) };
    let mut times = Vec::new();
    let mut held = one.lock("handover").acquire().await?;
    for turn in 0..count {
        let lock = if turn % 2 == 0 { other } else { one }.lock("handover");
        let waiting = tokio::spawn(async move {
            let guard = lock.acquire().await?;
            Ok::<(LockGuard, Instant), redlock::AcquireError>((guard, Instant::now()))
        });
        // Long enough that it waits, and at no fixed point of its polling.
        tokio::time::sleep(Duration::from_micros(random.random_range(10_000..40_000))).await;
        let released = Instant::now();
        held.release().await?;
        let (guard, acquired) = waiting.await??;
        times.push((acquired - released).as_secs_f64() * 1e6);
        held = guard;
    }
    held.release().await?;
    Ok(times)
}

/// All clients want the lock all the time. How often a second it changes hands.
async fn contend(clients: &[Locks]) -> Result<f64> {
    let (over, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let contenders: Vec<_> = clients
        .iter()
        .map(|locks| {
            let (lock, over, turns) = (locks.lock("contended"), Arc::clone(&over), Arc::clone(&turns));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let guard = lock.acquire().await?;
                    turns.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(HOLD).await;
                    guard.release().await?;
                }
                Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
            })
        })
        .collect();
    let started = Instant::now();
    tokio::time::sleep(CONTEND).await;
    let rate = turns.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    for contender in contenders {
        contender.await??;
    }
    Ok(rate)
}
