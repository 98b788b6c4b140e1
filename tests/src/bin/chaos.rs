//! Faults on nodes, ways and clients, and a verdict on what the locks made of them.

use std::error::Error;

use clap::{Parser, Subcommand};
use redlock_tests::worker;

/// Lets clients contend for locks while everything goes wrong, and says whether the locks held
#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One client, which writes a history of what it does
    #[command(hide = true)]
    Worker(worker::Options),
}

fn main() -> Result<(), Box<dyn Error>> {
    match Command::parse().what {
        What::Worker(options) => worker::run(&options),
    }
}
