//! What it costs to hold many locks: renewal's CPU, memory, what the nodes get to do, and whether any lock comes near its end.

use std::io::Write as _;
use std::process::Command;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use redlock::testing::servers::RedisFleet;
use redlock::{LockGuard, Locks, ReleaseError};
use serde::{Deserialize, Serialize};

use super::{
    Result, bare_fred,
    progress::Progress,
    section::Section,
    table::Table,
    usage::{Served, process_cpu, resident, thread_cpu},
};

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    /// Numbers of held locks, each with its TTL
    #[arg(long, value_delimiter = ',', default_value = "1000:3s,10000:3s,100000:10s")]
    pub locks: Vec<Many>,
    /// How long each is measured
    #[arg(long = "for", default_value = "20s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub length: Duration,
    /// How many of the five nodes stand still (SIGSTOP) while it is measured
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=2))]
    pub hung: u8,
    /// Locks that bare fred holds, to compare with; 0: none
    #[arg(long, default_value_t = 2_000)]
    pub bare: usize,
    /// Measures the first of these on nodes at these addresses, in this process
    #[arg(long, hide = true, value_delimiter = ',')]
    pub nodes: Vec<String>,
}

/// So many locks with this TTL: `10000:3s`.
#[derive(Clone, Copy, Debug)]
pub struct Many {
    locks: usize,
    ttl: Duration,
}

impl FromStr for Many {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (locks, ttl) = text.split_once(':').ok_or("as 10000:3s: a number of locks and a TTL")?;
        let locks = locks.parse().map_err(|error| format!("{locks}: {error}"))?;
        let ttl = humantime::parse_duration(ttl).map_err(|error| format!("{ttl}: {error}"))?;
        Ok(Self { locks, ttl })
    }
}

/// What one process that holds them has found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Found {
    /// Share of one core.
    cpu: f64,
    /// Bytes of resident memory a lock, the guard included.
    memory: f64,
    lost: usize,
    /// Of all validities that were seen, in parts of the TTL.
    least_left: f64,
    /// Renewals a second.
    rate: f64,
    /// How long it took to acquire them.
    acquired_in: f64,
    /// Median and 99th percentile of acquiring and releasing another lock meanwhile, in microseconds.
    others: (f64, f64),
    /// How often no quorum confirmed its release in time.
    unconfirmed: usize,
}

/// How many acquire at a time.
const AT_ONCE: usize = 64;

/// Measures each number of locks in a process of its own on five fresh nodes.
///
/// # Errors
/// A server that does not start or answer, a process that fails, or a lock that cannot be acquired.
pub fn run(effort: &Effort) -> Result<Section> {
    if let ([many, ..], false) = (&*effort.locks, effort.nodes.is_empty()) {
        let found = hold(*many, effort)?;
        // For the process that started this one.
        println!("{}", serde_json::to_string(&found)?);
        return Ok(Section::default());
    }
    let mut ours = Table::new([
        "locks held, TTL",
        "CPU, % of a core",
        "us a renewal",
        "bytes a lock",
        "lost",
        "least validity left",
        "another lock p50 / p99 us",
    ]);
    let mut nodes = Table::new([
        "a node and second",
        "renewals",
        "script calls",
        "commands",
        "KB in",
        "KB out",
        "CPU, % of a core",
    ]);
    let mut verdicts = Vec::new();
    for &many in &effort.locks {
        let Many { locks, ttl } = many;
        let _progress = Progress::start(format!("{locks} locks with a TTL of {ttl:?}"), 1_u64);
        let (found, served) = measure(many, effort)?;
        let share = match locks {
            0..=10_000 => 10,
            _ => 40,
        };
        verdicts.push((
            format!("{locks} held locks, TTL {ttl:?}: none lost, at most {share} % of a core, 1 KiB a lock"),
            format!("{} lost, {:.1} %, {:.0} bytes", found.lost, found.cpu * 100.0, found.memory),
        ));
        ours.row([
            format!("{locks}, {ttl:?}"),
            format!("{:.1}", found.cpu * 100.0),
            format!("{:.1}", found.cpu * 1e6 / found.rate),
            format!("{:.0}", found.memory),
            found.lost.to_string(),
            format!("{:.0} %", found.least_left * 100.0),
            match found.unconfirmed {
                0 => format!("{:.0} / {:.0}", found.others.0, found.others.1),
                more => format!("{:.0} / {:.0}, {more} unconfirmed", found.others.0, found.others.1),
            },
        ]);
        nodes.row([
            format!("{locks}, {ttl:?}"),
            format!("{:.0}", found.rate),
            format!("{:.0}", served.scripts),
            format!("{:.0}", served.commands),
            format!("{:.0}", served.bytes_in / 1e3),
            format!("{:.0}", served.bytes_out / 1e3),
            format!("{:.1}", served.cpu * 100.0),
        ]);
    }
    let hung = match effort.hung {
        0 => String::new(),
        hung => format!(" {hung} of them stood still (SIGSTOP) from the moment when the locks were held."),
    };
    let mut section =
        verdicts.into_iter().fold(Section::new("Many locks held"), |section, (goal, reached)| {
            section.verdict(goal, reached, "bare fred's renewals, in its chapter")
        });
    section = section.text(format!(
        "One process holds N locks on five nodes, with fencing and guards, and does nothing else for {:.0?}; each N in a \
         process of its own.{hung} CPU is that of the whole process (less what looking at the guards takes), memory the \
         growth of its resident set, guards included, over what it had before the first lock. Every 50 ms all guards \
         are looked at: the least validity left is the nearest that any of them came to its end. Another task acquires and \
         releases a lock of its own every 20 ms.",
        effort.length
    ));
    if effort.bare > 0 {
        let (cpu, rate) = bare(effort)?;
        section = section.text(format!(
            "Beside it, bare fred on a current-thread runtime, one script call a lock and node, {} locks extended at the rate \
             that a TTL of 3 s asks for: {:.1} us of CPU a renewal ({rate:.0} renewals a second, {:.1} % of a core). It would need \
             {:.0} % of a core for 10,000 such locks, if one were enough.",
            effort.bare,
            cpu / rate * 1e6,
            cpu * 100.0,
            cpu / effort.bare as f64 * 1e6,
        ));
    }
    Ok(section.table("The client:", ours).table("The nodes, the mean of those that ran:", nodes))
}

/// Has another process hold them, and watches the nodes meanwhile.
fn measure(many: Many, effort: &Effort) -> Result<(Found, Served)> {
    let fleet = RedisFleet::start(5)?;
    let hung = usize::from(effort.hung);
    let running = || fleet.iter().skip(hung);
    let mut child = Command::new(std::env::current_exe()?)
        .args(["renewal", "--locks", &format!("{}:{}", many.locks, humantime::format_duration(many.ttl))])
        .args(["--for", &humantime::format_duration(effort.length).to_string()])
        .args(["--nodes", &fleet.urls().join(",")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let mut output = std::io::BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    // It says when it holds them all, and is told when the nodes stand still.
    std::io::BufRead::read_line(&mut output, &mut line)?;
    fleet.iter().take(hung).try_for_each(redlock::testing::servers::RedisServer::pause)?;
    let before = Served::by_all(running())?;
    let started = Instant::now();
    writeln!(child.stdin.take().ok_or("no input")?)?;
    line.clear();
    std::io::BufRead::read_line(&mut output, &mut line)?;
    let elapsed = started.elapsed().as_secs_f64();
    let served = Served::by_all(running())?.since(before, elapsed * (5 - hung) as f64);
    fleet.iter().take(hung).try_for_each(redlock::testing::servers::RedisServer::resume)?;
    if !child.wait()?.success() {
        return Err("the process that holds the locks has failed".into());
    }
    Ok((serde_json::from_str(&line)?, served))
}

/// Holds them in this process.
fn hold(many: Many, effort: &Effort) -> Result<Found> {
    let Many { locks: count, ttl } = many;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let builder =
        Locks::builder().nodes(effort.nodes.clone()).ttl(ttl).max_ttl(ttl.max(Duration::from_secs(30)));
    let locks = runtime.block_on(builder.init())?;
    let acquire = |names: std::ops::Range<usize>| {
        let acquiring = futures::stream::iter(names.map(|name| locks.lock(format!("held:{name}"))))
            .map(|lock| async move { lock.acquire().await });
        acquiring.buffer_unordered(AT_ONCE)
    };
    // Buffers grow to their size before memory is counted.
    let warm: Vec<_> = runtime.block_on(acquire(0..AT_ONCE * 4).collect::<Vec<_>>());
    drop(warm);
    let mut guards: Vec<LockGuard> = Vec::with_capacity(count);
    thread::sleep(Duration::from_millis(200));
    let before = resident()?;
    let started = Instant::now();
    runtime.block_on(async {
        let mut acquired = acquire(0..count);
        while let Some(guard) = acquired.next().await {
            guards.push(guard?);
        }
        Ok::<(), redlock::AcquireError>(())
    })?;
    let acquired_in = started.elapsed().as_secs_f64();
    println!("held");
    std::io::stdin().read_line(&mut String::new())?;
    // One more TTL, so that every lock was renewed once.
    thread::sleep(ttl);

    // Another user of the same nodes, in a thread of its own.
    let stop = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| other_user(&locks, &stop));
        let (cpu, looking, started) = (process_cpu(), thread_cpu(), Instant::now());
        let (mut least, mut renewed) = (f64::INFINITY, 0);
        let mut ends: Vec<_> = guards.iter().map(|guard| guard.valid_until()).collect();
        while started.elapsed() < effort.length {
            thread::sleep(Duration::from_millis(50));
            let now = redlock::Instant::now();
            for (guard, end) in guards.iter().zip(&mut ends) {
                let until = guard.valid_until();
                least = least.min(until.saturating_since(now).as_secs_f64());
                renewed += u64::from(until != *end);
                *end = until;
            }
        }
        let elapsed = started.elapsed().as_secs_f64();
        let cpu = process_cpu().saturating_sub(cpu);
        let looking = thread_cpu().saturating_sub(looking);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let (mut times, unconfirmed, others_cpu) = other.join().map_err(|_| "the other user panicked")??;
        times.sort_by(f64::total_cmp);
        let quantile =
            |q: f64| times.get(((times.len() - 1) as f64 * q) as usize).copied().unwrap_or(f64::NAN);
        Ok(Found {
            cpu: cpu.saturating_sub(looking).saturating_sub(others_cpu).as_secs_f64() / elapsed,
            memory: resident()?.saturating_sub(before) as f64 / count as f64,
            lost: guards.iter().filter(|guard| !guard.is_valid()).count(),
            least_left: least / ttl.as_secs_f64(),
            rate: renewed as f64 / elapsed,
            acquired_in,
            others: (quantile(0.5), quantile(0.99)),
            unconfirmed,
        })
    })
}

/// Acquires and releases a lock every 20 ms; how long each took, in microseconds, how many releases nobody confirmed, and the
/// CPU of its thread.
fn other_user(locks: &Locks, stop: &std::sync::atomic::AtomicBool) -> Result<(Vec<f64>, usize, Duration)> {
    let locks = locks.blocking();
    let (mut times, mut unconfirmed) = (Vec::new(), 0);
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let started = Instant::now();
        match locks.lock("another").acquire()?.release() {
            Ok(_) => times.push(started.elapsed().as_secs_f64() * 1e6),
            // On a machine that has far too much to do. The release goes on in the background.
            Err(ReleaseError::Unconfirmed { .. }) => unconfirmed += 1,
            Err(error) => return Err(error.into()),
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok((times, unconfirmed, thread_cpu()))
}

/// CPU, in cores, and renewals a second of bare fred.
fn bare(effort: &Effort) -> Result<(f64, f64)> {
    let _progress = Progress::start(format!("bare fred: {} locks", effort.bare), 1_u64);
    let fleet = RedisFleet::start(5)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let held = bare_fred::Held::acquire_many(fleet.admin_urls(), effort.bare).await?;
        // A third of 3 s, less a twelfth on average, as the library does it.
        let pause = Duration::from_secs(1).mul_f64(11.0 / 12.0) / u32::try_from(effort.bare)?;
        let (cpu, started) = (process_cpu(), Instant::now());
        let mut renewed = 0_u32;
        let mut under_way = futures::stream::FuturesUnordered::new();
        while started.elapsed() < effort.length {
            while pause * renewed < started.elapsed() {
                under_way.push(held[renewed as usize % held.len()].extend());
                renewed += 1;
            }
            match tokio::time::timeout(pause, under_way.next()).await {
                Ok(Some(extended)) => extended?,
                Ok(None) => tokio::time::sleep(pause).await,
                Err(_) => {}
            }
        }
        let elapsed = started.elapsed().as_secs_f64();
        Ok((process_cpu().saturating_sub(cpu).as_secs_f64() / elapsed, f64::from(renewed) / elapsed))
    })
}
