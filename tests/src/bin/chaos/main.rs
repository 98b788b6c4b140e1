//! Faults on nodes, ways and clients, and a verdict on what the locks made of them.

mod model;
mod mutants;
mod scenarios;
mod simulate;
mod soak;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use redlock_tests::{chaos, worker};

/// Lets clients contend for locks while everything goes wrong, and says whether the locks held
#[derive(Parser)]
#[command(
    name = "chaos",
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 nothing happened that must not; 1 it did, and what is printed says what; 2 it could not be tried"
)]
struct Command {
    #[command(flatten)]
    run: chaos::Options,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// The known failures of Redlock, by name, on real servers
    Scenarios(scenarios::Options),
    /// The library on virtual time, over nodes, clocks and a network that misbehave: a seed a run
    Simulate(simulate::Options),
    /// The protocol as a model whose every state is visited
    Model(model::Options),
    /// The library without each of its safeguards, against every layer of the proof
    Mutants(mutants::Options),
    /// Locks for a long time while servers hang and restart, and looks whether anything grows
    Soak(soak::Options),
    /// One client, which writes a history of what it does
    #[command(hide = true)]
    Worker(worker::Options),
}

/// Whether nothing happened that must not.
type Good = Result<bool, Box<dyn Error>>;

fn main() -> ExitCode {
    let command = Command::parse();
    let result = match command.what {
        None => run(&command.run),
        Some(What::Scenarios(options)) => scenarios::run(&options),
        Some(What::Simulate(options)) => simulate::run(&options),
        Some(What::Model(options)) => model::run(&options),
        Some(What::Mutants(options)) => mutants::run(&options),
        Some(What::Soak(options)) => soak::run(&options),
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

fn run(options: &chaos::Options) -> Good {
    Ok(chaos::run(options, &env::current_exe()?)?.is_good())
}
