//! A process that holds locks, for tests that kill it or let several of them contend.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use futures::executor::block_on;
use futures::future::join_all;
use redlock::{Held, Instant, Locks, Protections, blocking};
use redlock_tests::bench::Result;
use redlock_tests::support::{ASK_PATIENCE, LIMIT};

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
    /// "write TOKEN", "watch" looks all the time, until it is not valid, and prints what it saw
    Act { name: String, ttl_millis: u64, urls: Vec<String> },
    /// Adds 1 to the number in a file so many times, each time under the lock; prints "done"
    Count { name: String, rounds: u32, file: PathBuf, urls: Vec<String> },
}

fn main() -> Result<()> {
    match Command::parse().what {
        What::Hold { name, ttl_millis, urls } => hold(&name, Duration::from_millis(ttl_millis), urls),
        What::Ask { without, names, prefix, urls } => ask(without, names, &prefix, urls),
        What::Act { name, ttl_millis, urls } => act(&name, Duration::from_millis(ttl_millis), urls),
        What::Count { name, rounds, file, urls } => count(&name, rounds, &file, urls),
    }
}

fn connect(urls: Vec<String>) -> Result<blocking::Locks> {
    Ok(Locks::builder().nodes(urls).node_timeout(Duration::from_millis(500)).build_blocking()?)
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
    let builder = Locks::builder().nodes(urls).ttl(Duration::from_secs(30)).protections(protections);
    let locks = block_on(builder.node_timeout(ASK_PATIENCE).build())?;
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
            "watch" => watch(&guard),
            order => return Err(format!("what is {order:?}?").into()),
        }
    }
    Ok(())
}

/// Looks until it is not valid. Prints when the last look began that said so, when the one after it ended, and when the
/// validity did, in nanoseconds.
fn watch(held: &Held) {
    println!("watching");
    let mut last = Instant::from_nanos(0);
    loop {
        let began = Instant::now();
        if !held.is_valid() {
            break;
        }
        last = began;
        thread::yield_now();
    }
    let first_other = Instant::now();
    println!("{} {} {}", last.as_nanos(), first_other.as_nanos(), held.valid_until().as_nanos());
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
