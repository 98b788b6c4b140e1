//! `[lock.etcd]`: how to reach the ensemble.

use std::path::Path;

use super::document::Table;
use super::error::{ConfigError, ConfigErrorKind};
use crate::backend::etcd::EtcdConfig;

/// Relative paths of files begin in `folder`.
pub(super) fn read(table: &Table<'_>, _folder: &Path) -> Result<EtcdConfig, ConfigError> {
    EtcdConfig::from_url("etcd://127.0.0.1")
        .map_err(|problem| table.error(ConfigErrorKind::InvalidValue, problem.to_string()))
}
