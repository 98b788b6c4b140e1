//! `[lock.file]`: where the directory is.

use std::path::Path;

use super::document::Table;
use super::error::{ConfigError, ConfigErrorKind};
use crate::backend::file::FileConfig;

/// The prefix of due.
const DUE_PREFIX: &str = "due:lock";

/// A relative directory begins in `folder`.
pub(super) fn read(table: &Table<'_>, folder: &Path) -> Result<FileConfig, ConfigError> {
    let Some((_, directory)) = table.filled("directory")? else {
        let problem =
            "there is no directory; expected directory = \"/run/lock/NAME\", one on a disk of this machine";
        return Err(match table.get("directory") {
            Some(entry) => entry.error(ConfigErrorKind::Incomplete, problem),
            None => table.error(ConfigErrorKind::Incomplete, problem),
        });
    };
    let prefix = table.get("prefix").map(|entry| entry.text()).transpose()?.unwrap_or(DUE_PREFIX);
    Ok(FileConfig::new(directory).prefix(prefix).in_folder(folder))
}
