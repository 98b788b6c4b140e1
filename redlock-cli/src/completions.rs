//! `redlock completions`: what a shell needs to complete this command's words.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Cli;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  redlock completions bash > /etc/bash_completion.d/redlock
  redlock completions zsh > /usr/local/share/zsh/site-functions/_redlock
  redlock completions fish > ~/.config/fish/completions/redlock.fish

Exit codes: 0 success, 64 usage")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: For,
}

/// The shells that are spoken to.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum For {
    Bash,
    Zsh,
    Fish,
}

/// Prints them.
pub(crate) fn run(args: Args) -> ExitCode {
    let shell = match args.shell {
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "redlock", &mut script);
    // A reader that has gone (`| head`) changes nothing.
    let _ = io::stdout().write_all(&script);
    ExitCode::SUCCESS
}
