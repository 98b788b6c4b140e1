//! Measures the lock and what it stands on, on real servers: `cargo run --release -p redlock-tests --bin bench`.

use clap::{Parser, Subcommand};
use redlock_tests::bench::{Result, handover, io_thread, stores, uncontended, yardstick::Effort};

/// Measures on redis-servers that it starts itself on loopback; tables go to stdout, progress to stderr
#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Bare fred on the caller's runtime against fred on a thread of its own
    IoThread(Effort),
    /// Acquire and release of free locks
    Uncontended(Effort),
    /// From a release to the next holder in another client, by wake-ups and by polling
    Handover(handover::Effort),
    /// Acquire and release of free locks on every store
    Stores(stores::StoresEffort),
}

fn main() -> Result<()> {
    match Command::parse().what {
        What::IoThread(effort) => io_thread::run(&effort),
        What::Uncontended(effort) => uncontended::run(&effort),
        What::Handover(effort) => handover::run(&effort),
        What::Stores(effort) => stores::run(&effort),
    }
}
