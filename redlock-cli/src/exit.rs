//! How the command ends: its exit codes, and what is said when it fails.

use std::fmt;
use std::future::Future;
use std::process::ExitCode;

use redlock::{AcquireError, BuildError};

/// The command line cannot be understood (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;
/// Not every node that is needed can be reached (`EX_UNAVAILABLE`).
pub(crate) const UNAVAILABLE: u8 = 69;
/// The lock was lost while the command ran, or something else must be done before it can go on (`EX_TEMPFAIL`).
const LATER: u8 = 75;
/// The configuration is wrong, or there is none (`EX_CONFIG`).
pub(crate) const CONFIGURATION: u8 = 78;

/// The exit codes that all subcommands share, for `--help`.
pub(crate) const HELP: &str = "Exit codes: 0 success, 1 failure, 64 usage, 69 nodes unreachable, 75 lock lost, 78 configuration, 128 + N ended by signal N";

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

/// Why a subcommand ended before its work was done; it says what is printed, and with which code it ends.
pub(crate) enum Failed {
    /// Nodes cannot be reached.
    Unavailable(String),
    /// A setting, here or on a node, must be changed.
    Misconfigured(String),
    /// The command line lacks something.
    Misused(String),
    Other(String),
}

impl From<BuildError> for Failed {
    fn from(error: BuildError) -> Self {
        let why = error.to_string();
        match error {
            BuildError::InitIncomplete { .. } | BuildError::NoQuorum { .. } => Self::Unavailable(why),
            BuildError::Threads(_) => Self::Other(why),
            _ => Self::Misconfigured(why),
        }
    }
}

impl From<AcquireError> for Failed {
    fn from(error: AcquireError) -> Self {
        let why = error.to_string();
        match error {
            AcquireError::Unavailable { .. } => Self::Unavailable(why),
            AcquireError::InvalidName(_) => Self::Misused(why),
            AcquireError::InvalidTtl(_)
            | AcquireError::TtlAboveMax { .. }
            | AcquireError::NodeSetChanged { .. } => Self::Misconfigured(why),
            _ => Self::Other(why),
        }
    }
}

impl Failed {
    /// Says why, and with which code to end.
    pub(crate) fn end(self) -> ExitCode {
        let (code, why) = match self {
            Self::Unavailable(why) => (UNAVAILABLE, why),
            Self::Misconfigured(why) => (CONFIGURATION, why),
            Self::Misused(why) => (USAGE, why),
            Self::Other(why) => return failed(why),
        };
        eprintln!("redlock: {why}");
        ExitCode::from(code)
    }
}

/// Runs a subcommand that does one thing after the other.
pub(crate) fn block_on(work: impl Future<Output = Result<ExitCode, Failed>>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work).unwrap_or_else(Failed::end),
        Err(error) => failed(error),
    }
}

/// The lock was lost while a command ran under it.
pub(crate) fn lost() -> ExitCode {
    ExitCode::from(LATER)
}

/// What could be done now is done; the rest has to wait for people.
pub(crate) fn later() -> ExitCode {
    ExitCode::from(LATER)
}

/// The way a shell reports a command that a signal has ended.
pub(crate) fn signalled(number: u8) -> ExitCode {
    ExitCode::from(128_u8.saturating_add(number))
}
