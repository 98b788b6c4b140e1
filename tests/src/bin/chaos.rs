//! Faults on nodes, ways and clients, and a verdict on what the locks made of them.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use redlock_tests::{chaos, worker};

/// Lets clients contend for locks while everything goes wrong, and says whether the locks held
///
/// Exit codes: 0 nothing happened that must not; 1 it did, and the report shows where; 2 the run could not take place.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Command {
    #[command(flatten)]
    run: chaos::Options,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// One client, which writes a history of what it does
    #[command(hide = true)]
    Worker(worker::Options),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let result = match command.what {
        None => run(&command.run),
        Some(What::Worker(options)) => worker::run(&options).map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all was good.
fn run(options: &chaos::Options) -> Result<bool, Box<dyn Error>> {
    Ok(chaos::run(options, &env::current_exe()?)?.is_good())
}
