//! `[lock.zookeeper]`: how to reach the ensemble.

use std::path::Path;

use super::document::Table;
use super::error::{ConfigError, ConfigErrorKind};
use crate::backend::zookeeper::ZooKeeperConfig;

/// Relative paths of files begin in `folder`.
pub(super) fn read(table: &Table<'_>, _folder: &Path) -> Result<ZooKeeperConfig, ConfigError> {
    ZooKeeperConfig::from_url("zookeeper://127.0.0.1")
        .map_err(|problem| table.error(ConfigErrorKind::InvalidValue, problem.to_string()))
}
