//! The `redlock` command.

mod demo;
mod exit;
mod init;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A distributed lock: a quorum over independent Redis masters.
#[derive(Debug, Parser)]
#[command(name = "redlock", version, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Demo(demo::Args),
    #[command(hide = true)]
    DemoWorker(demo::WorkerArgs),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    match cli.command {
        Command::Init(args) => init::run(args),
        Command::Demo(args) => demo::run(args),
        Command::DemoWorker(args) => demo::work(args),
    }
}
