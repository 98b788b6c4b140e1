//! How the command ends: its exit codes, and what is said when it fails.

use std::fmt;
use std::process::ExitCode;

/// The command line cannot be understood (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;

/// The exit codes that all subcommands share, for `--help`.
pub(crate) const HELP: &str = "Exit codes: 0 success, 1 failure, 64 usage, 128 + N ended by signal N";

/// Prints what clap has to say: an error, or the help or version that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to be told that printing failed.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

/// Something outside kept the command from doing its work.
pub(crate) fn failed(error: impl fmt::Display) -> ExitCode {
    eprintln!("redlock: {error}");
    ExitCode::FAILURE
}

/// The way a shell reports a command that a signal has ended.
pub(crate) fn signalled(number: u8) -> ExitCode {
    ExitCode::from(128_u8.saturating_add(number))
}
