//! The `redlock` command.

mod completions;
mod demo;
mod doctor;
#[cfg(test)]
mod documented;
mod duration;
mod elect;
mod exit;
mod init;
mod man;
mod nodes;
mod observe;
mod run;
mod source;
mod status;
mod supervise;
mod terminal;

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
    Run(run::Args),
    #[command(hide = true)]
    RunKeeper(run::Args),
    Elect(elect::Args),
    #[command(hide = true)]
    ElectKeeper(elect::Args),
    Observe(observe::Args),
    Init(init::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    Nodes(nodes::Args),
    Demo(demo::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    DemoWorker(demo::WorkerArgs),
    #[command(hide = true)]
    HandOver(supervise::HandOverArgs),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::RunKeeper(args) => run::keep(args),
        Command::Elect(args) => elect::run(&args),
        Command::ElectKeeper(args) => elect::keep(args),
        Command::Observe(args) => observe::run(args),
        Command::Init(args) => init::run(args),
        Command::Status(args) => status::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Nodes(args) => nodes::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::DemoWorker(args) => demo::work(args),
        Command::HandOver(args) => supervise::hand_over(args),
    }
}
