//! What the tests share: a directory with locks, the binary, and what becomes of processes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) use crate::binary::{Ran, finish, redlock};

/// A directory of a test, with locks of its own.
pub(crate) struct Stage {
    directory: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn nodes(&self) -> String {
        format!("file://{}", self.path("locks").display())
    }

    /// `redlock run` on the locks of this stage; what follows are options, the name and the command.
    pub(crate) fn run<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = redlock();
        command.args(["run", "--nodes", &self.nodes()]).args(arguments).current_dir(self.directory.path());
        command
    }

    /// Whether nobody has the lock.
    pub(crate) fn is_free(&self, name: &str) -> bool {
        finish(&mut self.run(["-n", name, "true"])).code == Some(0)
    }
}

/// A command that is still running; killed when the test is over.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

pub(crate) fn start(command: &mut Command) -> Running {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    Running { child, stdout }
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// The next line that the command writes.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next line, a number.
    pub(crate) fn number(&mut self) -> i32 {
        let line = self.line();
        line.parse().unwrap_or_else(|_| panic!("{line:?}"))
    }

    pub(crate) fn stdin(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().unwrap()
    }

    pub(crate) fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    pub(crate) fn status(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) fn code(&mut self) -> Option<i32> {
        self.status().code()
    }

    /// Waits for its end: the exit code and what it has said.
    pub(crate) fn end(mut self) -> Ran {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let (status, stderr) = self.ends();
        Ran { code: status.code(), stdout, stderr }
    }

    /// Waits for its end: how, and what it has said to stderr.
    pub(crate) fn ends(mut self) -> (ExitStatus, String) {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.status(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Whether a process is there and is no zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// Its state, as ps(1) shows it.
pub(crate) fn state(pid: i32) -> Option<char> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    line.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The children of a process.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let parent = |child: i32| -> Option<i32> {
        let line = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        line.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|&child| parent(child) == Some(pid)).collect()
}

/// Waits until something is so; a minute, on a machine that may be busy.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < give_up, "it did not come to pass: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn until_gone(what: &str, pid: i32) {
    until(&format!("{what} has ended"), || !is_alive(pid));
}
