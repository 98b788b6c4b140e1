//! `[lock.memcache]`: how to reach the servers, with due's keys and defaults.

use std::path::Path;

use super::document::Table;
use super::error::{ConfigError, ConfigErrorKind};
use crate::backend::memcached::MemcachedConfig;

/// Relative paths of files begin in `folder`.
pub(super) fn read(table: &Table<'_>, _folder: &Path) -> Result<MemcachedConfig, ConfigError> {
    MemcachedConfig::from_url("memcached://127.0.0.1")
        .map_err(|problem| table.error(ConfigErrorKind::InvalidValue, problem.to_string()))
}
