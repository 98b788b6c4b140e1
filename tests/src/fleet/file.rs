//! One node that is a directory of this machine: nothing listens, and nothing can be done to it.

use std::fs;
use std::io;
use std::path::Path;

use redlock::Instant;
use redlock::backend::redis::RedisConfig;
use tempfile::TempDir;

use super::{Action, ActionKind, Fleet, FleetError, text};
use crate::network::Protocol;

/// A directory for locks of its own. What goes wrong there can only be its clients.
#[derive(Debug)]
pub struct FileFleet {
    directory: TempDir,
}

impl FileFleet {
    /// Makes a directory.
    ///
    /// # Errors
    /// [`FleetError::Failed`] if there cannot be one, or more than one is asked for.
    pub fn start(nodes: usize) -> Result<Self, FleetError> {
        if nodes != 1 {
            return Err(text::not_done("the nodes", "locks in files have one directory; expected --nodes 1"));
        }
        let directory = tempfile::Builder::new().prefix("redlock-file-").tempdir();
        Ok(Self { directory: directory.map_err(|error| cannot("make a directory", &error))? })
    }
}

impl Fleet for FileFleet {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn server(&self) -> String {
        "files of this machine".to_owned()
    }

    fn protocol(&self) -> Option<Protocol> {
        None
    }

    fn addresses(&self) -> Vec<String> {
        vec![self.directory.path().display().to_string()]
    }

    fn config(&self, _reached_at: &[String]) -> String {
        let directory = self.directory.path().display().to_string();
        text::table("file", "directory", directory, RedisConfig::DEFAULT_PREFIX)
    }

    fn actions(&self) -> Vec<ActionKind> {
        Vec::new()
    }

    fn act(&self, _node: usize, action: Action) -> Result<(), FleetError> {
        Err(FleetError::Unsupported { fleet: self.kind(), action })
    }

    fn lock_keys(&self, _node: usize, prefix: &str) -> Result<Vec<String>, FleetError> {
        let cannot_list = |error: io::Error| cannot("list its locks", &error);
        let mut keys = Vec::new();
        // A folder for each boot, with a file for each lock.
        for folder in fs::read_dir(self.directory.path()).map_err(cannot_list)?.flatten() {
            let locks = match fs::read_dir(folder.path().join("locks")) {
                Ok(locks) => locks,
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
                {
                    continue;
                }
                Err(error) => return Err(cannot_list(error)),
            };
            keys.extend(locks.flatten().filter_map(|file| held(&file.path())));
        }
        keys.retain(|key| text::is_lock_key(key, prefix));
        keys.sort_unstable();
        Ok(keys)
    }
}

/// The key of a lock whose record has an owner, and a TTL that has not ended.
fn held(record: &Path) -> Option<String> {
    let text = fs::read_to_string(record).ok()?;
    let value = |label: &str| text.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(' '));
    let ends: u64 = value("ends")?.parse().ok()?;
    let has_owner = value("owner")?.chars().any(|digit| digit != '-');
    (has_owner && ends > Instant::now().as_nanos()).then(|| value("name").map(str::to_owned))?
}

fn cannot(what: &str, error: &io::Error) -> FleetError {
    text::not_done("the directory", &format!("cannot {what}: {error}"))
}
