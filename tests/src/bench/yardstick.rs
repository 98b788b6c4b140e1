//! Measures contenders in interleaved blocks.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

use super::Result;
use super::contender::{Connect, Contender};
use super::figures::{Measured, Outcome};
use super::place::{Caller, Io, Place};
use super::progress::Progress;
use super::stats;

/// Several tasks need more cycles than one for a block of the same length: as many times as there are tasks, up to this.
const CYCLES_OF_MANY: usize = 8;

/// What one contender did in one block.
pub struct Block {
    /// Nanoseconds.
    pub acquire: Histogram<u64>,
    /// Nanoseconds.
    pub release: Histogram<u64>,
    /// Acquire and release together, nanoseconds.
    pub cycle: Histogram<u64>,
    /// Done by all tasks together.
    pub cycles: usize,
    /// From the first task's start to the last one's end.
    pub wall: Duration,
    /// Of the whole process that it runs in, user and system.
    pub cpu: Duration,
}

impl Block {
    /// Of the nanoseconds that each acquire and its release took.
    ///
    /// # Errors
    /// None that is known: the histograms grow.
    pub fn of(samples: impl IntoIterator<Item = (u64, u64)>, wall: Duration, cpu: Duration) -> Result<Self> {
        let [acquire, release, cycle] = [Histogram::new(3)?, Histogram::new(3)?, Histogram::new(3)?];
        let mut block = Self { acquire, release, cycle, cycles: 0, wall, cpu };
        for (acquire, release) in samples {
            block.acquire.record(acquire)?;
            block.release.record(release)?;
            block.cycle.record(acquire.saturating_add(release))?;
            block.cycles += 1;
        }
        Ok(block)
    }
}

/// Something connected that can be measured again and again, and rests in between.
pub trait Subject {
    /// Has `tasks` concurrent tasks do `cycles` cycles altogether, each on a new name.
    ///
    /// # Errors
    /// Whatever keeps a lock from being held or released.
    fn measure(&mut self, tasks: usize, cycles: usize) -> Result<Block>;
}

/// Starts a subject on the nodes at these addresses.
type Start = Box<dyn FnOnce(Vec<String>) -> Result<Box<dyn Subject>>>;

/// One line of the result.
pub struct Entry {
    name: &'static str,
    against: &'static [&'static str],
    start: Start,
    /// It does so many times fewer cycles a block.
    slower: usize,
    /// Its failures are told, and do not end the benchmark.
    may_fail: bool,
}

impl Entry {
    /// A contender of this process, called and connected where it is said.
    pub fn here(name: &'static str, caller: Caller, io: Io, connect: Connect) -> Self {
        let start: Start = Box::new(move |urls| {
            let place = Place::new(caller, io)?;
            let contender = place.on_io(async move { connect(urls).await })?;
            Ok(Box::new(Here { contender, place }) as Box<dyn Subject>)
        });
        Self { name, against: &[], start, slower: 1, may_fail: false }
    }

    /// Another library, whose failures are its own.
    pub fn other(
        name: &'static str,
        slower: usize,
        start: impl FnOnce(Vec<String>) -> Result<Box<dyn Subject>> + 'static,
    ) -> Self {
        Self { name, against: &[], start: Box::new(start), slower, may_fail: true }
    }

    /// Compares it with the entries of these names, those of them that there are.
    #[must_use]
    pub fn against(mut self, names: &'static [&'static str]) -> Self {
        self.against = names;
        self
    }

    /// Its failures are told, and do not end the benchmark.
    #[must_use]
    pub fn may_fail(mut self) -> Self {
        self.may_fail = true;
        self
    }
}

struct Here {
    // Before `place`: a client ends on a runtime that still runs.
    contender: Arc<dyn Contender>,
    place: Place,
}

impl Subject for Here {
    fn measure(&mut self, tasks: usize, cycles: usize) -> Result<Block> {
        self.place.measure(&self.contender, tasks, cycles)
    }
}

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)] // Others of the same name flatten it.
pub struct Effort {
    /// Interleaved blocks; every contender runs once in each
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(stats::FEWEST_BLOCKS as i64..))]
    pub blocks: u32,
    /// Cycles a block for one task; up to eight times as many for several tasks together
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub cycles: u32,
}

struct Stage {
    subject: Option<Box<dyn Subject>>,
    slower: usize,
    may_fail: bool,
    outcome: Outcome,
}

/// Measures `entries` on the nodes at `urls`, once for each number of tasks; `what` is shown while it runs.
///
/// # Errors
/// The first one of a contender of this process, or threads that cannot be started.
pub fn measure(
    what: &str,
    entries: Vec<Entry>,
    urls: &[String],
    tasks: &[u16],
    effort: &Effort,
) -> Result<Vec<Measured>> {
    measure_each(what, entries.into_iter().map(|entry| (entry, urls.to_vec())).collect(), tasks, effort)
}

/// Measures entries that each have nodes of their own.
///
/// # Errors
/// As [`measure`].
pub fn measure_each(
    what: &str,
    entries: Vec<(Entry, Vec<String>)>,
    tasks: &[u16],
    effort: &Effort,
) -> Result<Vec<Measured>> {
    let stage = |(entry, urls): (Entry, Vec<String>)| Stage::new(entry, urls);
    let mut stages = entries.into_iter().map(stage).collect::<Result<Vec<_>>>()?;
    let mut all = Vec::new();
    for &tasks in tasks {
        let tasks = usize::from(tasks);
        let cycles = effort.cycles as usize * tasks.min(CYCLES_OF_MANY);
        let mut progress = Progress::start(format!("{what}, {tasks} task(s)"), effort.blocks);
        for block in 0..effort.blocks {
            measure_one_block(&mut stages, tasks, cycles, block, &progress)?;
            progress.step();
        }
        let outcomes = stages.iter_mut().map(Stage::take_outcome).collect();
        all.push(Measured { tasks, cycles, blocks: effort.blocks, outcomes });
    }
    Ok(all)
}

/// Runs every stage once, in an order that differs from block to block, so that no contender always follows the
/// same other one.
fn measure_one_block(
    stages: &mut [Stage],
    tasks: usize,
    cycles: usize,
    block: u32,
    progress: &Progress,
) -> Result<()> {
    let mut order: Vec<usize> = (0..stages.len()).collect();
    order.shuffle(&mut StdRng::seed_from_u64(block.into()));
    for index in order {
        if let Some(stage) = stages.get_mut(index) {
            progress.doing(stage.outcome.name);
            stage.measure(tasks, cycles)?;
        }
    }
    Ok(())
}

impl Stage {
    fn new(entry: Entry, urls: Vec<String>) -> Result<Self> {
        let Entry { name, against, start, slower, may_fail } = entry;
        let outcome = Outcome { name, against, blocks: Vec::new(), failed: None };
        let mut stage = Self { subject: None, slower, may_fail, outcome };
        match start(urls) {
            Ok(subject) => stage.subject = Some(subject),
            Err(error) => stage.fail(error)?,
        }
        Ok(stage)
    }

    fn measure(&mut self, tasks: usize, cycles: usize) -> Result<()> {
        let Some(subject) = &mut self.subject else { return Ok(()) };
        if self.outcome.failed.is_some() {
            return Ok(());
        }
        let cycles = cycles / self.slower;
        // Caches, and the servers' memory, are warmed by the contender itself.
        let warm = subject.measure(tasks, cycles / 10);
        match warm.and_then(|_| subject.measure(tasks, cycles)) {
            Ok(block) => self.outcome.blocks.push(block),
            Err(error) => self.fail(error)?,
        }
        Ok(())
    }

    fn fail(&mut self, error: Box<dyn std::error::Error + Send + Sync>) -> Result<()> {
        if !self.may_fail {
            return Err(format!("{}: {error}", self.outcome.name).into());
        }
        self.outcome.failed = Some(error.to_string());
        Ok(())
    }

    fn take_outcome(&mut self) -> Outcome {
        let Outcome { name, against, .. } = self.outcome;
        let failed = self.outcome.failed.clone().filter(|_| self.subject.is_none());
        std::mem::replace(&mut self.outcome, Outcome { name, against, blocks: Vec::new(), failed })
    }
}
