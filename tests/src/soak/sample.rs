//! What this process and the servers use at one moment.

use std::fmt;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use redlock::env::Env;
use redlock::testing::real_env;
use redlock::testing::servers::{RedisFleet, RedisServer, Reply, ServerError};
use tokio::runtime::{Handle, Runtime};

use super::{HUNG, Metric, RESTARTED, SoakError};
use crate::bench::usage::resident;

/// What is counted, and by how much it may be higher in the last quarter than in the second.
///
/// The tolerances cover what differs between two quarters of a run without a leak, also on a machine that is starved in one of
/// them and not in the other; each is below what a leak at every hold (a hundred a second, or so) or, for connections and
/// threads, at every hang or restart adds in ten minutes.
pub const METRICS: &[Metric] = &[
    // An allocator keeps what the longest backlog needed.
    metric("memory (RSS, KiB)", 0.10, 16_384),
    // Releases that a hung server has not answered yet come and go by hundreds, on a starved machine by thousands: a leak
    // shows in what is there between.
    Metric { quantile: 0.1, ..metric("tasks of the library", 0.25, 150) },
    // Look-ups of names take helper threads now and then.
    metric("threads", 0.0, 4),
    metric("open files and sockets", 0.0, 6),
    metric("lock keys", 0.50, 30),
    // Counters stay for some seconds: there are as many as there were holds in them. Were they never to go, it would be 15,000.
    metric("all keys", 0.25, 2_500),
    metric("connections, steady servers", 0.0, 3),
    metric("connections, restarted one", 0.0, 2),
    // It sees connections late that were closed while it stood still.
    metric("connections, hung one", 0.0, 4),
];

const fn metric(name: &'static str, relative: f64, absolute: u64) -> Metric {
    Metric { name, quantile: 0.5, relative, absolute }
}

/// What was counted at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Since the start.
    pub at: Duration,
    /// In the order of [`METRICS`]; none where it could not be measured then.
    pub values: Vec<Option<u64>>,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4} s:", self.at.as_secs())?;
        for (metric, value) in METRICS.iter().zip(&self.values) {
            match value {
                Some(value) => write!(f, "  {} {value}", metric.name)?,
                None => write!(f, "  {} -", metric.name)?,
            }
        }
        Ok(())
    }
}

/// What was left after everything had been shut down, beyond what was there before anything had started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// As shutting down has it.
    pub open_guards: usize,
    /// As shutting down has it: releases that were never confirmed.
    pub unsettled: usize,
    /// Threads of this process.
    pub threads: u64,
    /// Open files and sockets of this process.
    pub files: u64,
    /// Connections on the servers.
    pub connections: u64,
    /// Keys of locks on the servers.
    pub lock_keys: u64,
}

impl Left {
    /// Whether it is all gone.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_nothing() {
            return f.write_str("nothing");
        }
        let Self { open_guards, unsettled, threads, files, connections, lock_keys } = self;
        write!(
            f,
            "{open_guards} open guards, {unsettled} unsettled releases, {threads} threads, {files} open files, \
             {connections} connections, {lock_keys} lock keys"
        )
    }
}

/// Takes samples; knows what the process used before anything had started.
pub(super) struct Sampler {
    threads: u64,
    files: u64,
    /// The library's own runtimes, one for each environment. A handle does not keep its threads.
    runtimes: Mutex<Vec<Handle>>,
}

impl Sampler {
    /// To be made when the servers run and the load's runtime has its threads.
    pub(super) fn new(runtime: &Runtime) -> io::Result<Self> {
        // A runtime starts its workers as it likes; now they are there.
        runtime.block_on(async { tokio::spawn(async {}).await.map_err(io::Error::other) })?;
        Ok(Self { threads: threads()?, files: files()?, runtimes: Mutex::default() })
    }

    /// A real environment for one client. The tasks on its runtime count, fred's among them.
    pub(super) fn environment(&self) -> io::Result<Arc<dyn Env>> {
        let env = real_env()?;
        let (sender, receiver) = mpsc::channel();
        env.spawn(Box::pin(async move {
            let _ = sender.send(Handle::current());
        }));
        let handle = receiver.recv().map_err(io::Error::other)?;
        self.runtimes.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        Ok(env)
    }

    pub(super) fn sample(&self, at: Duration, fleet: &RedisFleet, hung: bool) -> Result<Sample, SoakError> {
        let mut keys = (0, 0, 0);
        for server in steady(fleet) {
            keys.0 += server.lock_keys()?.len() as u64;
            keys.1 += count(&server.command(&["DBSIZE"])?);
            keys.2 += connections(server)?;
        }
        let restarted = connections(fleet.server(RESTARTED))?;
        let hung = if hung { None } else { Some(connections(fleet.server(HUNG))?) };
        let values = vec![
            Some(resident()? / 1024),
            Some(self.tasks()),
            Some(threads()?),
            Some(files()?),
            Some(keys.0),
            Some(keys.1),
            Some(keys.2),
            Some(restarted),
            hung,
        ];
        Ok(Sample { at, values })
    }

    /// Counts anew what is there beyond the beginning.
    pub(super) fn look_for_leftovers(&self, fleet: &RedisFleet, left: &mut Left) -> Result<(), SoakError> {
        self.runtimes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        (left.connections, left.lock_keys) = (0, 0);
        for server in fleet {
            left.connections += connections(server)?;
            left.lock_keys += server.lock_keys()?.len() as u64;
        }
        left.threads = threads()?.saturating_sub(self.threads);
        left.files = files()?.saturating_sub(self.files);
        Ok(())
    }

    fn tasks(&self) -> u64 {
        let runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        runtimes.iter().map(|runtime| runtime.metrics().num_alive_tasks() as u64).sum()
    }
}

/// Those that nothing is done to.
fn steady(fleet: &RedisFleet) -> impl Iterator<Item = &RedisServer> {
    let is_hurt = |index| index == RESTARTED || index == HUNG;
    fleet.iter().enumerate().filter(move |(index, _)| !is_hurt(*index)).map(|(_, server)| server)
}

/// The clients of a server, without the one that asks.
fn connections(server: &RedisServer) -> Result<u64, ServerError> {
    let reply = server.command(&["INFO", "clients"])?;
    let clients =
        reply.text().and_then(|text| text.lines().find_map(|line| line.strip_prefix("connected_clients:")));
    Ok(clients.and_then(|clients| clients.trim().parse::<u64>().ok()).unwrap_or(0).saturating_sub(1))
}

fn count(reply: &Reply) -> u64 {
    reply.integer().and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}

fn threads() -> io::Result<u64> {
    Ok(fs::read_dir("/proc/self/task")?.count() as u64)
}

fn files() -> io::Result<u64> {
    Ok(fs::read_dir("/proc/self/fd")?.count() as u64)
}
