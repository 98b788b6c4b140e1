//! The last step before a command: this program makes ready what lives on when it becomes the command.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, getpgrp, getppid};

use super::terminal;

const CANNOT_EXECUTE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Started by `redlock run` and `redlock elect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    keeper: i32,
    front_group: i32,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Becomes the command.
pub(crate) fn hand_over(args: Args) -> ExitCode {
    let Some((program, arguments)) = args.words.split_first() else { return ExitCode::FAILURE };
    let error = match prepare(&args) {
        // Returns only if it fails. What was ignored by `exec`'s caller, it leaves so; `SIGPIPE` is as at the start.
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
    };
    eprintln!("redlock: {}: {error}", program.display());
    ExitCode::from(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { CANNOT_EXECUTE })
}

fn prepare(args: &Args) -> io::Result<()> {
    let keeper = Pid::from_raw(args.keeper);
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    if getppid() != keeper {
        return Err(io::Error::other("the process that holds the lock has gone"));
    }
    if let Some(front) = Pid::from_raw(args.front_group) {
        terminal::pass(io::stdin(), front, getpgrp());
    }
    terminal::as_before()
}
