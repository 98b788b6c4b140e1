//! How much of a node's log was there when: what is on disk after a power loss.
//!
//! The log only grows, since the fleet's servers never rewrite it. So its length at a moment says what was written by then,
//! and cutting it there leaves what a machine leaves that had synced it at that moment and not again.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How much a power loss takes: what `appendfsync everysec` promises to lose at most.
pub(super) const LOSS: Duration = Duration::from_secs(1);

/// The length of each file of the log.
type Lengths = Vec<(PathBuf, u64)>;

/// Samples of one node's log since it was started.
#[derive(Debug)]
pub(super) struct Written {
    directory: PathBuf,
    /// The first is what a power loss leaves: the newest that is old enough, or that of the start.
    samples: VecDeque<(Instant, Lengths)>,
}

impl Written {
    /// Begins with what is there now, which no power loss takes any more.
    pub(super) fn begin(directory: &Path, now: Instant) -> io::Result<Self> {
        let directory = directory.to_owned();
        let samples = VecDeque::from([(now, lengths(&directory)?)]);
        Ok(Self { directory, samples })
    }

    /// Notes what is there now.
    pub(super) fn sample(&mut self, now: Instant) -> io::Result<()> {
        self.samples.push_back((now, lengths(&self.directory)?));
        self.forget(now);
        Ok(())
    }

    /// Cuts the log of a dead node to what was there [`LOSS`] ago, or when it was started if that is later.
    pub(super) fn lose(&mut self, now: Instant) -> io::Result<()> {
        self.forget(now);
        for (file, length) in self.samples.front().into_iter().flat_map(|(_, lengths)| lengths) {
            OpenOptions::new().write(true).open(file)?.set_len(*length)?;
        }
        Ok(())
    }

    fn forget(&mut self, now: Instant) {
        let is_old = |sample: Option<&(Instant, Lengths)>| {
            sample.is_some_and(|(at, _)| now.saturating_duration_since(*at) >= LOSS)
        };
        while is_old(self.samples.get(1)) {
            self.samples.pop_front();
        }
    }
}

/// The files that grow: one in Redis 6.2, since then one beside those that stay as they are.
fn lengths(directory: &Path) -> io::Result<Lengths> {
    let mut found = Vec::new();
    for folder in [directory.to_owned(), directory.join("appendonlydir")] {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == "appendonly.aof" || name.ends_with(".incr.aof") {
                found.push((entry.path(), entry.metadata()?.len()));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a log into which a number was written each tenth of a second.
    fn lose_after(tenths: u32) -> String {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("appendonlydir");
        fs::create_dir(&folder).unwrap();
        let file = folder.join("appendonly.aof.1.incr.aof");
        fs::write(&file, "start,").unwrap();
        let start = Instant::now();
        let at = |tenth: u32| start + Duration::from_millis(100) * tenth;
        let mut written = Written::begin(directory.path(), start).unwrap();
        for tenth in 1..=tenths {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, format!("{text}{tenth},")).unwrap();
            written.sample(at(tenth)).unwrap();
        }
        fs::write(&file, fs::read_to_string(&file).unwrap() + "last").unwrap();
        written.lose(at(tenths)).unwrap();
        fs::read_to_string(&file).unwrap()
    }

    #[test]
    fn what_was_written_in_the_last_second_is_lost() {
        assert_eq!(lose_after(15), "start,1,2,3,4,5,");
        assert_eq!(lose_after(11), "start,1,");
    }

    #[test]
    fn what_was_there_at_the_start_is_kept() {
        assert_eq!(lose_after(0), "start,");
        assert_eq!(lose_after(9), "start,");
    }
}
