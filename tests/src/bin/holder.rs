//! A process that holds locks, for tests that kill it or let several of them contend.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use futures::StreamExt as _;
use futures::channel::mpsc;
use futures::executor::block_on;
use futures::future::join_all;
use redlock::{Held, Instant, Locks, Protections, RunError, blocking};
use redlock_tests::bench::Result;
use redlock_tests::support::{ASK_PATIENCE, LIMIT};
use rustix::time::{ClockId, clock_gettime};

/// Acquires locks on Redis servers, as a test asks it to
#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Acquires a lock, prints "held", and holds it until stdin ends or the lock is lost; prints "lost" then
    Hold { name: String, ttl_millis: u64, urls: Vec<String> },
    /// Prints "connected", waits for a line, prints "asking", asks for so many locks at once, and goes on until stdin ends
    Ask {
        /// Lacks this safeguard
        #[arg(long)]
        without: Option<String>,
        names: u32,
        prefix: String,
        urls: Vec<String>,
    },
    /// Acquires a lock, prints "held TOKEN", and does what stdin says: "look" prints whether it is valid, "write" prints
    /// "write TOKEN" without a look
    Act { name: String, ttl_millis: u64, urls: Vec<String> },
    /// Acquires a lock and works under it until it is lost; says how its clocks stand
    ///
    /// Prints "held", CLOCK_BOOTTIME, the library's clock, CLOCK_BOOTTIME again, CLOCK_MONOTONIC. For each line of stdin: "look",
    /// whether the lock is valid, the library's clock before that; and, from the work, "step". When it is lost "lost", the
    /// library's clock, and until when the lock was valid. All clocks are in nanoseconds. It ends with stdin.
    Work {
        name: String,
        ttl_millis: u64,
        #[arg(long)]
        no_renewal: bool,
        urls: Vec<String>,
    },
    /// Adds 1 to the number in a file so many times, each time under the lock; prints "done"
    Count { name: String, rounds: u32, file: PathBuf, urls: Vec<String> },
}

fn main() -> Result<()> {
    match Command::parse().what {
        What::Hold { name, ttl_millis, urls } => hold(&name, Duration::from_millis(ttl_millis), urls),
        What::Ask { without, names, prefix, urls } => ask(without, names, &prefix, urls),
        What::Act { name, ttl_millis, urls } => act(&name, Duration::from_millis(ttl_millis), urls),
        What::Work { name, ttl_millis, no_renewal, urls } => {
            block_on(work(&name, Duration::from_millis(ttl_millis), no_renewal, urls))
        }
        What::Count { name, rounds, file, urls } => count(&name, rounds, &file, urls),
    }
}

fn connect(urls: Vec<String>) -> Result<blocking::Locks> {
    Ok(Locks::builder()
        .restart_guard(false)
        .nodes(urls)
        .node_timeout(Duration::from_millis(500))
        .build_blocking()?)
}

fn hold(name: &str, ttl: Duration, urls: Vec<String>) -> Result<()> {
    let guard = connect(urls)?.lock(name).ttl(ttl).acquire()?;
    println!("held");
    thread::spawn(|| {
        // However stdin ends, the test is over.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    guard.wait_lost();
    println!("lost");
    Ok(())
}

fn ask(without: Option<String>, names: u32, prefix: &str, urls: Vec<String>) -> Result<()> {
    let protections = match without {
        Some(name) => Protections::without(&name).ok_or("no such safeguard")?,
        None => Protections::default(),
    };
    let builder = Locks::builder().nodes(urls).restart_guard(false).protections(protections);
    let locks = block_on(builder.ttl(Duration::from_secs(30)).node_timeout(ASK_PATIENCE).build())?;
    let locks: Vec<_> = (0..names).map(|number| locks.lock(format!("{prefix}-{number}"))).collect();
    println!("connected");
    io::stdin().read_line(&mut String::new())?;
    println!("asking");
    let guards = block_on(join_all(locks.iter().map(redlock::Lock::try_acquire)));
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(guards);
    Ok(())
}

fn act(name: &str, ttl: Duration, urls: Vec<String>) -> Result<()> {
    let guard = connect(urls)?.lock(name).ttl(ttl).acquire()?;
    let token = guard.fencing_token().ok_or("fencing is off")?;
    println!("held {token}");
    for order in io::stdin().lines() {
        match order?.as_str() {
            "look" => println!("{}", if guard.is_valid() { "valid" } else { "not valid" }),
            "write" => println!("write {token}"),
            order => return Err(format!("what is {order:?}?").into()),
        }
    }
    Ok(())
}

async fn work(name: &str, ttl: Duration, no_renewal: bool, urls: Vec<String>) -> Result<()> {
    let builder = Locks::builder().restart_guard(false).nodes(urls);
    let locks = builder.node_timeout(Duration::from_millis(500)).build().await?;
    let mut lock = locks.lock(name).ttl(ttl);
    if no_renewal {
        lock = lock.renew_at_most(Duration::from_millis(1));
    }
    let mut view = None;
    let result = lock
        .run(|held| {
            view = Some(held.clone());
            steps(held)
        })
        .await;
    let now = Instant::now().as_nanos();
    match (result, view) {
        (Err(RunError::Lost(_)), Some(held)) => println!("lost {now} {}", held.valid_until().as_nanos()),
        (other, _) => println!("{other:?}"),
    }
    // Looks are answered until stdin ends, and this program with it.
    loop {
        thread::park();
    }
}

/// Work without an end; a thread reads stdin, and looks at the lock on its own.
async fn steps(held: Held) {
    println!(
        "held {} {} {} {}",
        nanos_of(SUSPEND_AWARE),
        Instant::now().as_nanos(),
        nanos_of(SUSPEND_AWARE),
        nanos_of(ClockId::Monotonic)
    );
    let (sender, mut lines) = mpsc::unbounded();
    thread::spawn(move || {
        for _ in io::stdin().lines() {
            let before = Instant::now().as_nanos();
            println!("look {} {before}", held.is_valid());
            // The work may have been cancelled.
            let _ = sender.unbounded_send(());
        }
        // The test is over.
        process::exit(0);
    });
    while lines.next().await.is_some() {
        println!("step");
    }
}

#[cfg(target_os = "linux")]
const SUSPEND_AWARE: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const SUSPEND_AWARE: ClockId = ClockId::Monotonic;

fn nanos_of(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn count(name: &str, rounds: u32, file: &PathBuf, urls: Vec<String>) -> Result<()> {
    let locks = connect(urls)?;
    let lock = locks.lock(name);
    for _ in 0..rounds {
        let guard = lock.acquire()?;
        let number: u64 = fs::read_to_string(file)?.trim().parse()?;
        thread::yield_now();
        fs::write(file, (number + 1).to_string())?;
        guard.release()?;
    }
    // The process would take along what is still to be released.
    locks.shutdown(LIMIT);
    println!("done");
    Ok(())
}
