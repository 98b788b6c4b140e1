//! `[lock.file]`: where the directory is.

use std::path::Path;

use super::document::Table;
use super::error::{ConfigError, ConfigErrorKind};
use crate::backend::file::FileConfig;

/// Relative paths of files begin in `folder`.
pub(super) fn read(table: &Table<'_>, _folder: &Path) -> Result<FileConfig, ConfigError> {
    FileConfig::from_url("file:///tmp/redlock")
        .map_err(|problem| table.error(ConfigErrorKind::InvalidValue, problem.to_string()))
}
