//! What was measured, as tables, curves and ratios.

use hdrhistogram::Histogram;

use super::stats::{self, Ratio};
use super::table::Table;
use super::yardstick::Block;

/// All contenders, measured in the same blocks with the same number of tasks.
pub struct Measured {
    pub(super) tasks: usize,
    /// A block, of those that are not slower than others.
    pub(super) cycles: usize,
    pub(super) blocks: u32,
    pub(super) outcomes: Vec<Outcome>,
}

/// What one of them did.
pub struct Outcome {
    pub(super) name: &'static str,
    pub(super) against: &'static [&'static str],
    pub(super) blocks: Vec<Block>,
    /// Why there are no more blocks.
    pub(super) failed: Option<String>,
}

/// A figure of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Microseconds that half of all acquires take at most.
    AcquireMedian,
    /// Microseconds that 99 % of all acquires take at most.
    AcquireP99,
    /// Microseconds that half of all releases take at most.
    ReleaseMedian,
    /// Microseconds that 99 % of all releases take at most.
    ReleaseP99,
    /// Microseconds that half of all cycles take at most.
    CycleMedian,
    /// Microseconds that 99 % of all cycles take at most.
    CycleP99,
    /// Cycles a second, of all tasks together.
    Rate,
    /// Microseconds of the client's CPU a cycle.
    Cpu,
}

impl Metric {
    /// All that tables show.
    pub const ALL: [Self; 8] = [
        Self::AcquireMedian,
        Self::AcquireP99,
        Self::ReleaseMedian,
        Self::ReleaseP99,
        Self::CycleMedian,
        Self::CycleP99,
        Self::Rate,
        Self::Cpu,
    ];

    fn heading(self) -> &'static str {
        match self {
            Self::AcquireMedian => "acq p50 us",
            Self::AcquireP99 => "acq p99 us",
            Self::ReleaseMedian => "rel p50 us",
            Self::ReleaseP99 => "rel p99 us",
            Self::CycleMedian => "both p50 us",
            Self::CycleP99 => "both p99 us",
            Self::Rate => "cycles/s",
            Self::Cpu => "CPU us/cycle",
        }
    }

    fn of(self, block: &Block) -> f64 {
        match self {
            Self::AcquireMedian => micros(&block.acquire, 0.5),
            Self::AcquireP99 => micros(&block.acquire, 0.99),
            Self::ReleaseMedian => micros(&block.release, 0.5),
            Self::ReleaseP99 => micros(&block.release, 0.99),
            Self::CycleMedian => micros(&block.cycle, 0.5),
            Self::CycleP99 => micros(&block.cycle, 0.99),
            Self::Rate => block.cycles as f64 / block.wall.as_secs_f64(),
            Self::Cpu => block.cpu.as_secs_f64() * 1e6 / block.cycles as f64,
        }
    }
}

fn micros(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1_000.0
}

impl Measured {
    /// How much was measured, for a caption.
    pub fn extent(&self) -> String {
        format!("{} task(s), {} blocks of {} cycles", self.tasks, self.blocks, self.cycles)
    }

    /// The median of the blocks' figures; `None` if it was not measured.
    pub fn median(&self, name: &str, metric: Metric) -> Option<f64> {
        Some(self.find(name)?.median(metric))
    }

    /// How two of them compare, block by block.
    pub fn ratio(&self, name: &str, other: &str, metric: Metric) -> Option<Ratio> {
        Ratio::paired(&self.find(name)?.per_block(metric), &self.find(other)?.per_block(metric))
    }

    /// Medians of the blocks' figures.
    pub fn table(&self) -> Table {
        let mut table = Table::new(["median of blocks"].into_iter().chain(Metric::ALL.map(Metric::heading)));
        for outcome in self.outcomes.iter().filter(|outcome| !outcome.blocks.is_empty()) {
            let cell = |metric| match metric {
                Metric::Cpu => format!("{:.1}", outcome.median(metric)),
                _ => format!("{:.0}", outcome.median(metric)),
            };
            let cells = Metric::ALL.map(cell);
            table.row(std::iter::once(outcome.name.to_owned()).chain(cells));
        }
        table
    }

    /// Each entry beside those that it is compared with.
    pub fn ratios(&self) -> Table {
        let mut table = Table::new(["ratio [95 %]"].into_iter().chain(Metric::ALL.map(Metric::heading)));
        for outcome in &self.outcomes {
            for other in outcome.against.iter().filter(|other| self.find(other).is_some()) {
                let ratio = |metric| self.ratio(outcome.name, other, metric);
                let cells =
                    Metric::ALL.map(|metric| ratio(metric).map_or("-".to_owned(), |it| it.to_string()));
                table.row(std::iter::once(format!("{} / {other}", outcome.name)).chain(cells));
            }
        }
        table
    }

    /// How long the share of cycles that is given took at most, in microseconds: all blocks of each together.
    pub fn percentiles(&self) -> Vec<(String, Vec<(f64, f64)>)> {
        let curve = |outcome: &Outcome| {
            let mut all = outcome.blocks.first()?.cycle.clone();
            for block in &outcome.blocks[1..] {
                // It grows as it must.
                let _ = all.add(&block.cycle);
            }
            // Further out there are too few to tell.
            let last = 1.0 - 10.0 / all.len().max(20) as f64;
            let steps = 60;
            let share = |step: i32| 1.0 - (1.0 - last).powf(f64::from(step) / f64::from(steps));
            let points = (0..=steps).map(share).map(|share| (share, micros(&all, share)));
            Some((outcome.name.to_owned(), points.collect()))
        };
        self.outcomes.iter().filter_map(curve).collect()
    }

    /// The names that were measured, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.outcomes.iter().filter(|outcome| !outcome.blocks.is_empty()).map(|outcome| outcome.name)
    }

    /// Who could not be measured to the end, and why; nothing if all could.
    pub fn failures(&self) -> Vec<String> {
        let told = |outcome: &Outcome| {
            let why = outcome.failed.as_ref()?;
            let done = outcome.blocks.len();
            Some(format!(
                "**{}, {} task(s)**: failed after {done} of {} blocks: {why}.",
                outcome.name, self.tasks, self.blocks
            ))
        };
        self.outcomes.iter().filter_map(told).collect()
    }

    fn find(&self, name: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.name == name && !outcome.blocks.is_empty())
    }
}

impl Outcome {
    fn per_block(&self, metric: Metric) -> Vec<f64> {
        self.blocks.iter().map(|block| metric.of(block)).collect()
    }

    fn median(&self, metric: Metric) -> f64 {
        stats::median(&self.per_block(metric))
    }
}

/// One line for each contender: a figure against what was varied.
pub fn lines(measured: &[(f64, &Measured)], metric: Metric) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut names: Vec<&'static str> = Vec::new();
    for name in measured.iter().flat_map(|(_, measured)| measured.names()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let points = |name: &str| {
        measured.iter().filter_map(|(x, measured)| Some((*x, measured.median(name, metric)?))).collect()
    };
    names.into_iter().map(|name| (name.to_owned(), points(name))).collect()
}
