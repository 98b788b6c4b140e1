//! How the command ends: its exit codes, and what is said when it fails.

use std::fmt;
use std::process::ExitCode;

/// The command line cannot be understood (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;
/// Not every node that is needed can be reached (`EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;
/// The configuration is wrong, or there is none (`EX_CONFIG`).
const CONFIGURATION: u8 = 78;

/// The exit codes that all subcommands share, for `--help`.
pub(crate) const HELP: &str = "Exit codes: 0 success, 1 failure, 64 usage, 69 nodes unreachable, 78 configuration, 128 + N ended by signal N";

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

/// The command line lacks something.
pub(crate) fn misused(error: impl fmt::Display) -> ExitCode {
    ended(USAGE, error)
}

/// Nodes cannot be reached.
pub(crate) fn unavailable(error: impl fmt::Display) -> ExitCode {
    ended(UNAVAILABLE, error)
}

/// A setting, here or on a node, must be changed.
pub(crate) fn misconfigured(error: impl fmt::Display) -> ExitCode {
    ended(CONFIGURATION, error)
}

fn ended(code: u8, error: impl fmt::Display) -> ExitCode {
    eprintln!("redlock: {error}");
    ExitCode::from(code)
}

/// The way a shell reports a command that a signal has ended.
pub(crate) fn signalled(number: u8) -> ExitCode {
    ExitCode::from(128_u8.saturating_add(number))
}
