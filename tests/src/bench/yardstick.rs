//! Measures contenders in interleaved blocks and compares each with its counterpart.

use std::{io::Write as _, sync::Arc, time::Duration};

use hdrhistogram::Histogram;
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use redlock::testing::servers::RedisFleet;

use super::{
    Result,
    contender::{Connect, Contender},
    machine,
    place::{Caller, Io, Place},
    stats::{self, Ratio},
    table::Table,
};

/// Concurrent tasks need more cycles than one for a block of the same length.
const CYCLES_OF_MANY: usize = 4;

/// What one contender did in one block.
pub struct Block {
    /// Nanoseconds.
    pub acquire: Histogram<u64>,
    /// Nanoseconds.
    pub release: Histogram<u64>,
    /// Done by all tasks together.
    pub cycles: usize,
    /// From the first task's start to the last one's end.
    pub wall: Duration,
    /// Of the whole process, user and system.
    pub cpu: Duration,
}

/// One line of the result.
pub struct Entry {
    /// As shown in the table; unique.
    pub name: &'static str,
    /// The name of the entry that it is compared with.
    pub against: Option<&'static str>,
    /// Who calls.
    pub caller: Caller,
    /// Who does the I/O.
    pub io: Io,
    /// Connects it, where the I/O is done.
    pub connect: Connect,
}

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    /// Interleaved blocks; every contender runs once in each
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(stats::FEWEST_BLOCKS as i64..))]
    pub blocks: u32,
    /// Cycles a block for one task; four times as many for several tasks together
    #[arg(long, default_value_t = 1_500, value_parser = clap::value_parser!(u32).range(1..))]
    pub cycles: u32,
    /// Numbers of nodes to measure with
    #[arg(long, value_delimiter = ',', default_value = "5,1", value_parser = clap::value_parser!(u8).range(1..))]
    pub nodes: Vec<u8>,
    /// Numbers of concurrent tasks, each with its own names
    #[arg(long, value_delimiter = ',', default_value = "1,64", value_parser = clap::value_parser!(u16).range(1..))]
    pub tasks: Vec<u16>,
}

struct Stage {
    entry: Entry,
    // Before `place`: a client ends on a runtime that still runs.
    contender: Arc<dyn Contender>,
    place: Place,
    blocks: Vec<Block>,
}

/// Measures `entries` on fleets of every size asked for, and prints to stdout.
///
/// # Errors
/// A server that does not start, or the first one of a contender.
pub fn on_fleets(entries: fn() -> Vec<Entry>, effort: &Effort) -> Result<()> {
    println!("{}", machine::description()?);
    for &nodes in &effort.nodes {
        let fleet = RedisFleet::start(nodes.into())?;
        println!("{}", measure(entries(), &fleet.admin_urls(), effort)?);
    }
    Ok(())
}

/// Measures `entries` on the nodes at `urls` for each number of tasks; prints progress to stderr.
///
/// # Errors
/// The first one of a contender, or threads that cannot be started.
pub fn measure(entries: Vec<Entry>, urls: &[String], effort: &Effort) -> Result<String> {
    let entries = entries.into_iter().map(|entry| (entry, urls.to_vec())).collect();
    measure_each(entries, &format!("{} node(s)", urls.len()), effort)
}

/// Measures entries that each have nodes of their own; `what` heads the tables.
///
/// # Errors
/// As [`measure`].
pub fn measure_each(entries: Vec<(Entry, Vec<String>)>, what: &str, effort: &Effort) -> Result<String> {
    let stage = |(entry, urls): (Entry, Vec<String>)| Stage::new(entry, &urls);
    let mut stages = entries.into_iter().map(stage).collect::<Result<Vec<_>>>()?;
    let mut report = String::new();
    for &tasks in &effort.tasks {
        let tasks = usize::from(tasks);
        let cycles = effort.cycles as usize * if tasks == 1 { 1 } else { CYCLES_OF_MANY };
        for stage in &mut stages {
            stage.blocks.clear();
        }
        for block in 0..effort.blocks {
            eprint!("\r{what}, {tasks} tasks: block {} of {}\x1b[K", block + 1, effort.blocks);
            std::io::stderr().flush()?;
            measure_one_block(&mut stages, tasks, cycles, block)?;
        }
        eprintln!();
        let heading = format!("{what}, {tasks} task(s), {} blocks of {cycles} cycles", effort.blocks);
        report += &format!("## {heading}\n\n{}\n", figures(&stages));
        let ratios = ratios(&stages);
        if !ratios.is_empty() {
            report += &format!("{ratios}\n");
        }
    }
    Ok(report)
}

/// Runs every stage once, in an order that differs from block to block, so that no contender always follows the
/// same other one.
fn measure_one_block(stages: &mut [Stage], tasks: usize, cycles: usize, block: u32) -> Result<()> {
    let mut order: Vec<usize> = (0..stages.len()).collect();
    order.shuffle(&mut StdRng::seed_from_u64(block.into()));
    for index in order {
        if let Some(stage) = stages.get_mut(index) {
            let named = |error| format!("{}: {error}", stage.entry.name);
            // Caches, and the servers' memory, are warmed by the contender itself.
            stage.place.measure(&stage.contender, tasks, cycles / 10).map_err(named)?;
            stage.blocks.push(stage.place.measure(&stage.contender, tasks, cycles).map_err(named)?);
        }
    }
    Ok(())
}

impl Stage {
    fn new(entry: Entry, urls: &[String]) -> Result<Self> {
        let place = Place::new(entry.caller, entry.io)?;
        let (connect, urls) = (entry.connect, urls.to_vec());
        let contender = place.on_io(async move { connect(urls).await })?;
        Ok(Self { entry, contender, place, blocks: Vec::new() })
    }

    fn per_block(&self, metric: &Metric) -> Vec<f64> {
        self.blocks.iter().map(metric.of).collect()
    }
}

struct Metric {
    name: &'static str,
    of: fn(&Block) -> f64,
}

const METRICS: [Metric; 6] = [
    Metric { name: "acq p50 us", of: |block| micros(&block.acquire, 0.5) },
    Metric { name: "acq p99 us", of: |block| micros(&block.acquire, 0.99) },
    Metric { name: "rel p50 us", of: |block| micros(&block.release, 0.5) },
    Metric { name: "rel p99 us", of: |block| micros(&block.release, 0.99) },
    Metric { name: "cycles/s", of: |block| block.cycles as f64 / block.wall.as_secs_f64() },
    Metric { name: "CPU us/cycle", of: |block| block.cpu.as_secs_f64() * 1e6 / block.cycles as f64 },
];

fn micros(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1_000.0
}

/// Medians of the blocks' figures.
fn figures(stages: &[Stage]) -> Table {
    let mut table =
        Table::new(["median of blocks"].into_iter().chain(METRICS.iter().map(|metric| metric.name)));
    for stage in stages {
        let values = METRICS.iter().map(|metric| format!("{:.0}", stats::median(&stage.per_block(metric))));
        table.row(std::iter::once(stage.entry.name.to_owned()).chain(values));
    }
    table
}

/// Each entry beside the one that it is compared with.
fn ratios(stages: &[Stage]) -> Table {
    let mut table = Table::new(["ratio [95 %]"].into_iter().chain(METRICS.iter().map(|metric| metric.name)));
    for stage in stages {
        let counterpart = stages.iter().find(|other| Some(other.entry.name) == stage.entry.against);
        let Some(counterpart) = counterpart else { continue };
        let values = METRICS.iter().map(|metric| {
            let ratio = Ratio::paired(&stage.per_block(metric), &counterpart.per_block(metric));
            ratio.map_or_else(|| "-".to_owned(), |ratio| ratio.to_string())
        });
        table
            .row(std::iter::once(format!("{} / {}", stage.entry.name, counterpart.entry.name)).chain(values));
    }
    table
}
