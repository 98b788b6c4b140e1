//! `[lock.etcd]`: how to reach the ensemble.

use std::path::Path;

use super::document::{Entry, Table};
use super::error::{ConfigError, ConfigErrorKind};
use super::tls;
use crate::backend::etcd::{EtcdConfig, EtcdConfigError};

/// The prefix of due.
const DUE_PREFIX: &str = "due:lock";
/// Where an etcd is if `addrs` is not there.
const DUE_ADDRESS: &str = "127.0.0.1:2379";

/// Relative paths of files begin in `folder`.
pub(super) fn read(table: &Table<'_>, folder: &Path) -> Result<EtcdConfig, ConfigError> {
    let mut config = endpoints(table)?.prefix(DUE_PREFIX);
    if let Some(entry) = table.get("prefix") {
        config = config.prefix(entry.text()?);
        config.validate().map_err(|problem| entry.invalid(problem.to_string()))?;
    }
    config = match (table.filled("username")?, table.filled("password")?) {
        (None, None) => config,
        (Some((_, username)), Some((_, password))) => config.username(username).password(password),
        (Some((entry, _)), None) => return Err(lonely(&entry, "password")),
        (None, Some((entry, _))) => return Err(lonely(&entry, "username")),
    };
    Ok(match tls::read(table, folder)? {
        Some(files) => config.tls(files),
        None => config,
    })
}

fn endpoints(table: &Table<'_>) -> Result<EtcdConfig, ConfigError> {
    let Some(entry) = table.get("addrs") else {
        return EtcdConfig::new([DUE_ADDRESS])
            .map_err(|problem| table.error(ConfigErrorKind::InvalidValue, problem.to_string()));
    };
    let texts = entry.texts()?;
    EtcdConfig::new(texts.iter().map(|&(text, _)| text)).map_err(|problem| {
        let line = match problem {
            EtcdConfigError::Endpoint { number } | EtcdConfigError::Duplicate { number } => {
                texts.get(number - 1).map(|&(_, line)| line)
            }
            _ => None,
        };
        let refused = entry.error(ConfigErrorKind::InvalidValue, problem.to_string());
        match line {
            Some(line) => refused.on_line(line),
            None => refused,
        }
    })
}

fn lonely(entry: &Entry<'_>, missing: &str) -> ConfigError {
    let problem = format!("{} is set but {missing} is not; a log-in needs both", entry.key);
    entry.error(ConfigErrorKind::Incomplete, problem)
}
