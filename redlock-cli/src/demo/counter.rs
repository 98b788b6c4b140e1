//! The counter: a number in a plain file, which nothing but the lock protects.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file with a decimal number in it.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    file: PathBuf,
}

/// The file could not be read or written, or holds something else.
#[derive(Debug, thiserror::Error)]
#[error("the counter {file}: {reason}")]
pub(super) struct CounterError {
    file: String,
    reason: String,
}

impl Counter {
    /// Creates the file, with a zero in it.
    pub(super) fn create(file: PathBuf) -> Result<Self, CounterError> {
        let counter = Self { file };
        fs::write(&counter.file, text(0)).map_err(|error| counter.failed("cannot be created", &error))?;
        Ok(counter)
    }

    /// A counter that somebody else has created.
    pub(super) fn open(file: PathBuf) -> Self {
        Self { file }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn read(&self) -> Result<u64, CounterError> {
        let text = fs::read_to_string(&self.file).map_err(|error| self.failed("cannot be read", &error))?;
        text.trim_end().parse().map_err(|_| CounterError {
            file: self.file.display().to_string(),
            reason: format!("expected a decimal number, found {text:?}"),
        })
    }

    /// Reads, pauses, and writes one more: whoever gets in between is overwritten.
    pub(super) async fn increment(&self, pause: Duration) -> Result<(), CounterError> {
        let value = self.read()?;
        tokio::task::yield_now().await;
        tokio::time::sleep(pause).await;
        self.write(value + 1).map_err(|error| self.failed("cannot be written", &error))
    }

    /// Overwrites the number in place: a file cut to nothing first would show to whoever reads without the lock.
    fn write(&self, value: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(&self.file)?.write_all(text(value).as_bytes())
    }

    fn failed(&self, what: &str, error: &io::Error) -> CounterError {
        CounterError { file: self.file.display().to_string(), reason: format!("{what}: {error}") }
    }
}

/// Always equally long, so that a smaller number leaves nothing of a larger one.
fn text(value: u64) -> String {
    format!("{value:010}\n")
}
