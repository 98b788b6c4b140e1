//! What is to be executed, and with which exit code it has ended.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use redlock::{FencingToken, LockName};
use rustix::process::Pid;

use super::this_program;

/// What is said of a command to others: the name of its program, and none of its arguments, which may be secrets.
pub(crate) fn program_of(words: &[OsString]) -> String {
    let program = words
        .first()
        .map_or_else(OsString::new, |program| Path::new(program).file_name().unwrap_or(program).to_owned());
    program.to_string_lossy().into_owned()
}

/// A command, and what it is told by its environment.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    words: Vec<OsString>,
    name: OsString,
}

impl Job {
    /// `words` are the program and its arguments.
    pub(crate) fn new(name: &LockName, words: Vec<OsString>) -> Self {
        Self { words, name: OsStr::from_bytes(name.as_bytes()).to_owned() }
    }

    /// Starts it in a process group of its own, which has the id that is returned.
    pub(super) fn start(
        &self,
        token: Option<FencingToken>,
        stdin: BorrowedFd<'_>,
        front_group: Pid,
    ) -> io::Result<Pid> {
        let mut program = this_program()?;
        program
            .arg("hand-over")
            .arg(std::process::id().to_string())
            .arg(front_group.as_raw_pid().to_string())
            .arg("--")
            .args(&self.words)
            .env("REDLOCK_NAME", &self.name)
            .stdin(Stdio::from(stdin.try_clone_to_owned()?))
            .process_group(0);
        match token {
            Some(token) => program.env("REDLOCK_FENCING_TOKEN", token.get().to_string()),
            // Of a lock around this one.
            None => program.env_remove("REDLOCK_FENCING_TOKEN"),
        };
        let child = program.spawn()?;
        // It is waited for with all that it leaves.
        i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// How a command has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Exited(u8),
    Signalled(u8),
}

impl Status {
    /// As a shell has it.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signalled(number) => 128_u8.saturating_add(number),
        }
    }
}
