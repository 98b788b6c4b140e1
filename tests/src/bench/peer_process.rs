//! The process of a library of another language; how it is talked to stands in `peers/driver.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::Result;
use super::yardstick::{Block, Subject};

/// A block takes a second or a few.
const PATIENCE: Duration = Duration::from_secs(120);

/// A driver that has connected; it ends when this is dropped.
pub(super) struct PeerProcess {
    child: Child,
    lines: Receiver<String>,
    versions: String,
}

#[derive(Deserialize)]
struct Ready {
    versions: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Done { acquire: Vec<u64>, release: Vec<u64>, wall: u64, cpu: u64 },
    Failed { error: String },
}

impl PeerProcess {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// It does not start, or says something else.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let mut process = Self { child, lines, versions: String::new() };
        process.versions = serde_json::from_str::<Ready>(&process.line()?)?.versions;
        Ok(process)
    }

    pub(super) fn versions(&self) -> &str {
        &self.versions
    }

    fn line(&self) -> Result<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(line),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(format!("no answer within {PATIENCE:?}").into()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err("its process has ended".into()),
        }
    }
}

impl Subject for PeerProcess {
    fn measure(&mut self, tasks: usize, cycles: usize) -> Result<Block> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let prefix = format!("peer:{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let order = json!({ "tasks": tasks, "cycles": cycles, "prefix": prefix });
        writeln!(self.child.stdin.as_mut().ok_or("no input")?, "{order}")?;
        match serde_json::from_str(&self.line()?)? {
            Answer::Done { acquire, release, wall, cpu } => Block::of(
                acquire.into_iter().zip(release),
                Duration::from_nanos(wall),
                Duration::from_nanos(cpu),
            ),
            Answer::Failed { error } => Err(error.into()),
        }
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
