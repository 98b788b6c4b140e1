//! How late a periodic renewal runs while the caller's runtime is blocked.

use std::{
    convert::Infallible,
    hint,
    sync::{Arc, Barrier, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, time::MissedTickBehavior};

use super::{
    Result,
    bare_fred::Held,
    place::{Caller, Io, Place, WORKERS},
    progress::Progress,
    stats,
    table::Table,
};

const PERIOD: Duration = Duration::from_millis(100);

/// How much to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(skip)] // Others of the same name flatten it.
pub struct Effort {
    /// How often the caller's threads are kept busy, in each arrangement
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// For how long
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    busy: Duration,
}

impl Effort {
    /// Before and after the busy time.
    fn margin(self) -> Duration {
        self.busy / 4
    }
}

struct Case {
    name: &'static str,
    caller: Caller,
    io: Io,
    /// Threads of the caller's runtime, all of which are blocked.
    workers: usize,
}

const CASES: [Case; 4] = [
    Case {
        name: "caller's current-thread runtime",
        caller: Caller::CurrentThread,
        io: Io::Callers,
        workers: 1,
    },
    Case {
        name: "caller's multi-thread runtime",
        caller: Caller::MultiThread,
        io: Io::Callers,
        workers: WORKERS,
    },
    Case {
        name: "own thread, current-thread caller",
        caller: Caller::CurrentThread,
        io: Io::OwnThread,
        workers: 1,
    },
    Case {
        name: "own thread, multi-thread caller",
        caller: Caller::MultiThread,
        io: Io::OwnThread,
        workers: WORKERS,
    },
];

/// Renews every 100 ms where each case says, blocks every thread of the caller's runtime, and reports the
/// largest time between two confirmed renewals.
///
/// # Errors
/// A node that does not answer, or threads that cannot be started.
pub fn measure(urls: &[String], effort: Effort) -> Result<Table> {
    let mut table = Table::new(["renewal runs on", "largest gap ms, median", "worst", "idle, median"]);
    let mut progress =
        Progress::start("renewals while the caller is busy", CASES.len() * effort.repeats as usize);
    for case in &CASES {
        progress.doing(case.name);
        let (mut blocked, mut idle) = (Vec::new(), Vec::new());
        for _ in 0..effort.repeats {
            let gaps = Gaps::measure(case, urls.to_vec(), effort)?;
            blocked.push(gaps.blocked);
            idle.push(gaps.idle);
            progress.step();
        }
        let worst = blocked.iter().copied().fold(0.0, f64::max);
        let cells = [stats::median(&blocked), worst, stats::median(&idle)].map(|value| format!("{value:.0}"));
        table.row(std::iter::once(case.name.to_owned()).chain(cells));
    }
    Ok(table)
}

/// Largest gaps in milliseconds.
struct Gaps {
    idle: f64,
    blocked: f64,
}

impl Gaps {
    fn measure(case: &Case, urls: Vec<String>, effort: Effort) -> Result<Self> {
        let place = Place::new(case.caller, case.io)?;
        let held = place.on_io(async move { Held::acquire(urls, &format!("starved:{}", unique())).await })?;
        let (Some(io), Some(caller)) = (place.io_runtime(), place.caller_runtime()) else {
            return Err("no runtime".into());
        };
        let renewed = Arc::new(Mutex::new(Vec::new()));
        let renewal = io.spawn(renew(held, renewed.clone()));
        caller.block_on(async { tokio::time::sleep(effort.margin()).await });
        let busy_from = Instant::now();
        caller.block_on(block_all(case.workers, effort.busy, caller.handle()))?;
        caller.block_on(async { tokio::time::sleep(effort.margin()).await });
        if renewal.is_finished() {
            let Err(error) = caller.block_on(renewal)?;
            return Err(error);
        }
        renewal.abort();
        let renewed = renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let largest = |from: usize, to: usize| {
            let gaps = renewed.get(from..to).unwrap_or_default().windows(2).map(|pair| pair[1] - pair[0]);
            gaps.max().map_or(f64::NAN, |gap| gap.as_secs_f64() * 1e3)
        };
        let first_busy = renewed.partition_point(|&at| at < busy_from);
        Ok(Self {
            idle: largest(0, first_busy),
            blocked: largest(first_busy.saturating_sub(1), renewed.len()),
        })
    }
}

/// Renews until it fails.
async fn renew(held: Held, renewed: Arc<Mutex<Vec<Instant>>>) -> Result<Infallible> {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        held.extend().await?;
        renewed.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }
}

/// Every worker is inside a busy loop at the same time.
async fn block_all(workers: usize, busy: Duration, runtime: &Handle) -> Result<()> {
    let all_here = Arc::new(Barrier::new(workers));
    let spin = move |all_here: Arc<Barrier>| async move {
        all_here.wait();
        let until = Instant::now() + busy;
        while Instant::now() < until {
            hint::spin_loop();
        }
    };
    let busy: Vec<_> = (0..workers).map(|_| runtime.spawn(spin(all_here.clone()))).collect();
    for task in busy {
        task.await?;
    }
    Ok(())
}

fn unique() -> String {
    format!("{:?}:{:?}", thread::current().id(), Instant::now())
}
