//! What every server of one's own has: a directory, a log in it, and a process that can be killed, paused and started again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use super::ServerError;
use super::process::ServerProcess;

/// So much of a log is shown.
const LOG_LINES: usize = 15;

/// The process is killed, and the directory removed, when this is dropped. Errors name the `server`, as their caller calls it.
#[derive(Debug)]
pub(super) struct Home {
    // Before the directory: the process ends before its files are removed.
    process: Mutex<Option<ServerProcess>>,
    directory: TempDir,
}

impl Home {
    /// An empty directory, and no process yet. `kind` becomes part of the directory's name.
    pub(super) fn create(kind: &str, server: &str) -> Result<Self, ServerError> {
        let directory = tempfile::Builder::new().prefix(&format!("redlock-{kind}-")).tempdir();
        let directory = directory.map_err(|error| failed(server, "make a temporary directory", error))?;
        Ok(Self { process: Mutex::new(None), directory })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(ServerProcess::pid)
    }

    /// Whether the process lives; a paused one does.
    pub(super) fn is_running(&self) -> bool {
        self.process().as_ref().is_some_and(|process| process.is_running().unwrap_or(false))
    }

    /// Returns once it is gone. Without effect on a dead one.
    pub(super) fn kill(&self) {
        self.process().take();
    }

    /// Returns once it stands still.
    pub(super) fn pause(&self, server: &str) -> Result<(), ServerError> {
        self.with_process(server, "pause", ServerProcess::pause)
    }

    pub(super) fn resume(&self, server: &str) -> Result<(), ServerError> {
        self.with_process(server, "resume", ServerProcess::resume)
    }

    fn with_process(
        &self,
        server: &str,
        action: &str,
        run: impl FnOnce(&ServerProcess) -> io::Result<()>,
    ) -> Result<(), ServerError> {
        match &*self.process() {
            Some(process) => run(process).map_err(|error| failed(server, action, error)),
            None => Err(ServerError::NotRunning { server: server.to_owned() }),
        }
    }

    /// Kills the process if it lives, and starts `command` here, with a new log. It stays if `wait_until_ready` says that it has
    /// got there; otherwise none is left.
    pub(super) fn launch(
        &self,
        server: &str,
        command: &mut Command,
        wait_until_ready: impl FnOnce(&ServerProcess) -> Result<(), ServerError>,
    ) -> Result<(), ServerError> {
        let mut process = self.process();
        process.take();
        let of_log = |error| failed(server, "create its log", error);
        let log = File::create(self.log_file()).map_err(of_log)?;
        let errors = log.try_clone().map_err(of_log)?;
        command.current_dir(self.path()).stdout(log).stderr(errors);
        let started = ServerProcess::spawn(command, self.path());
        let started = started.map_err(|error| failed(server, "start the process", error))?;
        wait_until_ready(&started)?;
        *process = Some(started);
        Ok(())
    }

    /// What it has written so far.
    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    pub(super) fn not_started(&self, server: &str, reason: String) -> ServerError {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let log = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        ServerError::NotStarted { server: server.to_owned(), reason, log }
    }

    fn log_file(&self) -> PathBuf {
        self.path().join("server.log")
    }

    fn process(&self) -> MutexGuard<'_, Option<ServerProcess>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn failed(server: &str, action: &str, source: io::Error) -> ServerError {
    ServerError::Io { server: server.to_owned(), action: action.to_owned(), source }
}
