//! Many tasks of one process want one lock: a line with hand-over and without, beside bare fred that polls; and what a place in
//! the line costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use futures::{FutureExt as _, future};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use redlock::testing::servers::RedisFleet;
use redlock::{Lock, Locks};
use tokio::runtime::Runtime;

use super::{
    Result,
    bare_fred::BareFred,
    progress::Progress,
    section::Section,
    stats::{self, Ratio},
    table::Table,
};

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    /// Interleaved blocks
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(stats::FEWEST_BLOCKS as i64..))]
    pub blocks: u32,
    /// Tasks that each take the lock once
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub tasks: u32,
    /// Waiters in one line
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub waiters: u32,
    /// Hand-overs before other processes get their turn
    #[arg(long, value_delimiter = ',', default_value = "128,64,32,0")]
    pub handoffs: Vec<u32>,
}

const NODES: usize = 5;
/// The most hand-overs in a row.
const HANDED_OVER: u32 = 256;
/// fred asks again after a pause drawn from (0, this].
const POLL: Duration = Duration::from_millis(20);

/// Measures.
///
/// # Errors
/// A server that does not start or answer, or a holder whose token is not above the one before.
pub fn run(effort: &Effort) -> Result<Section> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let fleet = RedisFleet::start(NODES)?;
    let mut sides = Vec::new();
    for &handoff in &effort.handoffs {
        let builder =
            Locks::builder().nodes(fleet.admin_urls()).ttl(Duration::from_secs(30)).handoff(handoff);
        let name = match handoff {
            0 => "redlock, no hand-over".to_owned(),
            most => format!("redlock, {most} hand-overs"),
        };
        // A new fleet has a quarantine.
        let locks = runtime.block_on(builder.init())?;
        sides.push(Side { name, client: Client::Ours(locks), millis: Vec::new(), longest: Vec::new() });
    }
    let fred = Arc::new(runtime.block_on(BareFred::connect_all(fleet.admin_urls()))?);
    let name = "fred, polling".to_owned();
    sides.push(Side { name, client: Client::Fred(fred), millis: Vec::new(), longest: Vec::new() });
    let mut progress = Progress::start("one key", effort.blocks);
    for block in 0..effort.blocks {
        let mut order: Vec<usize> = (0..sides.len()).collect();
        order.shuffle(&mut StdRng::seed_from_u64(block.into()));
        for index in order {
            let side = &mut sides[index];
            let (took, longest) =
                runtime.block_on(count(&side.client, &format!("counter-{index}"), effort.tasks))?;
            side.millis.push(took.as_secs_f64() * 1e3);
            side.longest.push(longest.as_secs_f64() * 1e3);
        }
        progress.step();
    }
    drop(progress);
    let (tasks, waiters) = (effort.tasks, effort.waiters);
    let section = Section::new("Many tasks, one key")
        .text(format!(
            "{tasks} tasks of one process each take one lock on {NODES} Redis, add to a counter, and release. The time is that \
             until all have done so; each holder's fencing token is checked to be above the one before. fred polls with full \
             jitter, {} ms at most. The median of {} interleaved blocks.",
            POLL.as_millis(),
            effort.blocks
        ))
        .table(format!("Until the counter stands at {tasks}"), figures(&sides));
    let millis = |index: usize| sides.get(index).map_or(f64::NAN, |side| stats::median(&side.millis));
    let (line, enter) = line(waiters, effort.blocks)?;
    let goal = "100 tasks, one key, one process: at most 10 ms";
    let polling =
        format!("{}: {:.0} ms", sides.last().map_or("", |side| &side.name), millis(sides.len() - 1));
    let section = section.verdict(goal, format!("{:.1} ms", millis(0)), polling).verdict(
        "10,000 local waiters: at most 1 us of queue cost each",
        format!("{:.2} us", enter / 1e3),
        "alone in a line of its own, in its table",
    );
    Ok(section.table(format!("A line of {waiters} on the memory backend, by waiter"), line))
}

struct Side {
    name: String,
    client: Client,
    millis: Vec<f64>,
    longest: Vec<f64>,
}

#[derive(Clone)]
enum Client {
    Ours(Locks),
    Fred(Arc<BareFred>),
}

fn figures(sides: &[Side]) -> Table {
    let mut table = Table::new(["", "ms", "longest wait ms", "time / fred's [95 %]"]);
    let yardstick = sides.last().map(|side| side.millis.as_slice()).unwrap_or_default();
    for side in sides {
        let ratio = Ratio::paired(&side.millis, yardstick).map_or("-".to_owned(), |ratio| ratio.to_string());
        let (all, longest) = (stats::median(&side.millis), stats::median(&side.longest));
        table.row([side.name.clone(), format!("{all:.2}"), format!("{longest:.2}"), ratio]);
    }
    table
}

/// What the lock protects.
#[derive(Default)]
struct Counter {
    value: AtomicU64,
    token: AtomicU64,
}

impl Counter {
    /// Not atomic as a whole: two holders at a time would lose one.
    async fn add(&self, token: u64) -> Result<()> {
        let value = self.value.load(Ordering::Relaxed);
        let before = self.token.swap(token, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.value.store(value + 1, Ordering::Relaxed);
        if token > before { Ok(()) } else { Err(format!("token {token} came behind {before}").into()) }
    }
}

/// How long it takes until all tasks have counted, and how long the last of them waited.
async fn count(client: &Client, name: &str, tasks: u32) -> Result<(Duration, Duration)> {
    let counter = Arc::new(Counter::default());
    let started = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let (client, name, counter) = (client.clone(), name.to_owned(), Arc::clone(&counter));
            tokio::spawn(async move {
                let waiting = Instant::now();
                let waited;
                match client {
                    Client::Ours(locks) => {
                        let guard = locks.lock(name).acquire().await?;
                        waited = waiting.elapsed();
                        counter.add(guard.fencing_token().map_or(0, |token| token.get())).await?;
                        guard.release().await?;
                    }
                    Client::Fred(fred) => {
                        let held = fred.poll(&name, || jittered(POLL)).await?.0;
                        waited = waiting.elapsed();
                        // It has no tokens.
                        counter.add(counter.token.load(Ordering::Relaxed) + 1).await?;
                        held.release().await?;
                    }
                }
                Ok::<Duration, Box<dyn std::error::Error + Send + Sync>>(waited)
            })
        })
        .collect();
    let (all, mut longest) = (tasks.len() as u64, Duration::ZERO);
    for task in tasks {
        longest = longest.max(task.await??);
    }
    let (took, counted) = (started.elapsed(), counter.value.load(Ordering::Relaxed));
    if counted == all { Ok((took, longest)) } else { Err(format!("{counted} of {all} were counted").into()) }
}

/// Entering, being served, and giving up; and what entering costs a waiter, in nanoseconds.
fn line(waiters: u32, blocks: u32) -> Result<(Table, f64)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut columns = [(); 4].map(|()| Vec::new());
    for block in 0..blocks {
        for (column, nanos) in columns.iter_mut().zip(one_line(&runtime, waiters, block)?) {
            column.push(nanos);
        }
    }
    let mut table = Table::new(["", "ns"]);
    let rows = ["enter", "enter, no others", "be served by hand-over", "give up, in any order"];
    for (name, column) in rows.into_iter().zip(&columns) {
        table.row([name.to_owned(), format!("{:.0}", stats::median(column))]);
    }
    let cost = columns.first().map_or(f64::NAN, |entering| stats::median(entering));
    Ok((table, cost))
}

type Waiting<'a> = BoxFuture<'a, Result<u32>>;

fn one_line(runtime: &Runtime, waiters: u32, block: u32) -> Result<[f64; 4]> {
    let each = |since: Instant| since.elapsed().as_nanos() as f64 / f64::from(waiters);
    let locks = runtime.block_on(Locks::builder().memory().handoff(HANDED_OVER).build())?;
    let lock = locks.lock("line");
    let guard = runtime.block_on(lock.acquire())?;

    let mut line: Vec<Waiting<'_>> = (0..waiters).map(|place| wait(&lock, place).boxed()).collect();
    let entering = Instant::now();
    if line.iter_mut().any(|waiting| waiting.now_or_never().is_some()) {
        return Err("a waiter was served while the lock was held".into());
    }
    let entered = each(entering);

    let mut line: FuturesUnordered<Waiting<'_>> = line.into_iter().collect();
    // So that all have a waker here.
    runtime.block_on(future::poll_immediate(line.next()));
    let serving = Instant::now();
    drop(guard);
    let served = runtime.block_on(async {
        let mut served = 0.0;
        for place in 0..waiters {
            match line.next().await {
                Some(Ok(served)) if served == place => {}
                other => return Err(format!("in place of {place} came {other:?}")),
            }
            // After so many others get their turn, which is no cost of the line's.
            if place + 1 == waiters.min(HANDED_OVER) {
                served = serving.elapsed().as_nanos() as f64 / f64::from(place + 1);
            }
        }
        Ok(served)
    })?;

    let guard = runtime.block_on(lock.acquire())?;
    let mut line: Vec<Waiting<'_>> = (0..waiters).map(|place| wait(&lock, place).boxed()).collect();
    line.iter_mut().for_each(|waiting| drop(waiting.now_or_never()));
    line.shuffle(&mut StdRng::seed_from_u64(block.into()));
    let leaving = Instant::now();
    drop(line);
    let left = each(leaving);
    drop(guard);

    // The same first poll where each is alone in a line of its own.
    let others: Vec<Lock> = (0..waiters).map(|place| locks.lock(format!("line-{place}"))).collect();
    let mut alone: Vec<_> = others.iter().map(|lock| lock.acquire().boxed()).collect();
    let entering = Instant::now();
    alone.iter_mut().for_each(|waiting| drop(waiting.now_or_never()));
    Ok([entered, each(entering), served, left])
}

async fn wait(lock: &Lock, place: u32) -> Result<u32> {
    drop(lock.acquire().await?);
    Ok(place)
}

/// A pause drawn from (0, longest].
pub(super) fn jittered(longest: Duration) -> Duration {
    longest.mul_f64(1.0 - rand::rng().random::<f64>())
}
