//! A soak: many tasks lock for a long time while servers hang and restart, and nothing may grow.
//!
//! Five real servers: one stands still half of the time, another is restarted now and then. What the process and the servers
//! use is sampled all along and judged by [`judge`]: the last quarter against the second. At the end all must be gone.

mod judge;
mod load;
mod sample;

pub use judge::{Judgement, Metric, TooFewSamples, judge};
pub use sample::{Left, METRICS, Sample};

use std::fmt;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use redlock::testing::servers::{RedisFleet, ServerError};
use redlock::{BuildError, Locks};
use tokio::runtime::Runtime;

use load::Load;
use sample::Sampler;

const SERVERS: usize = 5;
/// It is restarted now and then.
const RESTARTED: usize = 3;
/// It stands still half of the time.
const HUNG: usize = 4;
/// Two of them, so that contention goes over the network too.
const CLIENTS: usize = 2;
/// How long the hung server stands still, and how long it runs in between; less in a short soak, as with the restarts.
const HANG: Duration = Duration::from_secs(4);
const RESTART_EVERY: Duration = Duration::from_secs(15);
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// How long the end of a soak may take: what a hung server has not confirmed must expire first.
const END: Duration = Duration::from_secs(30);

/// A soak could not be run, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoakError {
    /// A server could not be started, stopped or asked.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The locks could not be set up on servers that have just started.
    #[error("cannot set up the locks: {0}")]
    Build(#[from] BuildError),
    /// The machine does not tell what the process uses (procfs), or has no threads left.
    #[error("cannot read what this process uses (the soak needs Linux's /proc): {0}")]
    Machine(#[from] io::Error),
    /// It was too short to be judged.
    #[error(transparent)]
    TooShort(#[from] TooFewSamples),
}

/// What a soak has shown.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// Every sample, in order.
    pub samples: Vec<Sample>,
    /// What each metric did.
    pub judgements: Vec<Judgement>,
    /// How many times a lock was held.
    pub holds: u64,
    /// How many attempts ended without a lock: busy, unavailable or cancelled.
    pub misses: u64,
    /// How many times a server was restarted.
    pub restarts: u32,
    /// How many times a server was stopped (SIGSTOP).
    pub hangs: u32,
    /// What was left behind after everything had been shut down.
    pub left: Left,
}

impl Report {
    /// Whether nothing grew and nothing was left.
    pub fn is_flat(&self) -> bool {
        self.judgements.iter().all(Judgement::is_flat) && self.left.is_nothing()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { holds, misses, restarts, hangs, .. } = self;
        writeln!(f, "{holds} holds, {misses} attempts in vain, {restarts} restarts, {hangs} hangs")?;
        writeln!(
            f,
            "{:<28} {:>9} {:>9} {:>9} {:>10} {:>10} {:>9}  verdict",
            "", "min", "median", "max", "2nd quart.", "last quart.", "allowed"
        )?;
        for judgement in &self.judgements {
            writeln!(f, "{judgement}")?;
        }
        write!(f, "left behind: {}", self.left)
    }
}

/// Soaks for this long, and reports a line about every ten seconds. Blocks; needs redis-server and Linux's /proc.
///
/// The process should do nothing else meanwhile: all of its memory, threads and connections are counted.
///
/// # Errors
/// [`SoakError`] if it cannot be run. That something grew is no error: [`Report::is_flat`].
pub fn run(length: Duration, progress: &mut dyn FnMut(String)) -> Result<Report, SoakError> {
    let fleet = RedisFleet::start(SERVERS)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let sampler = Sampler::new(&runtime)?;
    let locks = connect(&runtime, &fleet, &sampler)?;
    let load = Load::start(&runtime, &locks);
    let mut faults = Faults::new(&fleet, length);
    let samples = watch(length, &sampler, &mut faults, progress);
    // Also where a sample failed: a server that stands still would keep the load from its end.
    faults.end()?;
    let samples = samples?;
    let counts = runtime.block_on(load.end());
    progress("the load has ended; shutting down".to_owned());
    let left = shut_down(&runtime, locks, &fleet, &sampler)?;
    let judgements = judge(&samples, METRICS)?;
    let (restarts, hangs) = (faults.restarts, faults.hangs);
    Ok(Report { samples, judgements, holds: counts.holds, misses: counts.misses, restarts, hangs, left })
}

fn connect(runtime: &Runtime, fleet: &RedisFleet, sampler: &Sampler) -> Result<Vec<Locks>, SoakError> {
    let mut all = Vec::with_capacity(CLIENTS);
    for client in 0..CLIENTS {
        let builder = Locks::builder()
            .nodes(fleet.urls())
            .ttl(Duration::from_secs(1))
            .max_ttl(Duration::from_secs(2))
            // Short, so that the counters of names that are used no more come to an end within the soak.
            .fencing_retention(Duration::from_secs(2))
            .env(sampler.environment()?);
        let built =
            if client == 0 { runtime.block_on(builder.init()) } else { runtime.block_on(builder.build()) };
        all.push(built?);
    }
    Ok(all)
}

/// Hurts the servers and samples until the time is up.
fn watch(
    length: Duration,
    sampler: &Sampler,
    faults: &mut Faults<'_>,
    progress: &mut dyn FnMut(String),
) -> Result<Vec<Sample>, SoakError> {
    let started = Instant::now();
    // A short soak needs enough samples too.
    let every = SAMPLE_EVERY.min(length / 40);
    let expected = length.as_millis() / every.as_millis().max(1);
    let mut samples: Vec<Sample> = Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 1);
    let mut said = 0;
    while started.elapsed() < length {
        let next = started.elapsed() + every;
        faults.bring_to(started.elapsed())?;
        let sample = sampler.sample(started.elapsed(), faults.fleet, faults.hung)?;
        if sample.at.as_secs() / 10 > said {
            said = sample.at.as_secs() / 10;
            progress(sample.to_string());
        }
        samples.push(sample);
        thread::sleep(next.saturating_sub(started.elapsed()));
    }
    Ok(samples)
}

/// What is done to the servers, by the time since the start.
struct Faults<'f> {
    fleet: &'f RedisFleet,
    hang: Duration,
    restart_every: Duration,
    hung: bool,
    hangs: u32,
    restarts: u32,
}

impl<'f> Faults<'f> {
    fn new(fleet: &'f RedisFleet, length: Duration) -> Self {
        let (hang, restart_every) = (HANG.min(length / 16), RESTART_EVERY.min(length / 4));
        Self { fleet, hang, restart_every, hung: false, hangs: 0, restarts: 0 }
    }

    fn bring_to(&mut self, at: Duration) -> Result<(), SoakError> {
        let hung = (at.as_nanos() / self.hang.as_nanos().max(1)) % 2 == 1;
        if hung != self.hung {
            let server = self.fleet.server(HUNG);
            if hung {
                server.pause()?;
                self.hangs += 1;
            } else {
                server.resume()?;
            }
            self.hung = hung;
        }
        if at.as_nanos() / self.restart_every.as_nanos().max(1) > u128::from(self.restarts) {
            self.fleet.server(RESTARTED).restart()?;
            self.restarts += 1;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), SoakError> {
        self.hung = false;
        Ok(self.fleet.server(HUNG).resume()?)
    }
}

/// Shuts everything down, and says what is left once it had time to go.
fn shut_down(
    runtime: &Runtime,
    locks: Vec<Locks>,
    fleet: &RedisFleet,
    sampler: &Sampler,
) -> Result<Left, SoakError> {
    let mut left = Left::default();
    for locks in &locks {
        let report = runtime.block_on(locks.shutdown(END));
        left.open_guards += report.open_guards;
        left.unsettled += report.unsettled;
    }
    drop(locks);
    let started = Instant::now();
    loop {
        sampler.look_for_leftovers(fleet, &mut left)?;
        if left.is_nothing() || started.elapsed() > END {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
