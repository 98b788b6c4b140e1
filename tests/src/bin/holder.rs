//! A process that holds locks, for tests that kill it or let several of them contend.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use redlock::{Locks, blocking};
use redlock_tests::bench::Result;
use redlock_tests::support::LIMIT;

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
    /// Adds 1 to the number in a file so many times, each time under the lock; prints "done"
    Count { name: String, rounds: u32, file: PathBuf, urls: Vec<String> },
}

fn main() -> Result<()> {
    match Command::parse().what {
        What::Hold { name, ttl_millis, urls } => hold(&name, Duration::from_millis(ttl_millis), urls),
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
