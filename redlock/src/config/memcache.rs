//! `[lock.memcache]`: how to reach the servers, with due's keys and defaults.

use std::path::Path;

use super::document::{Entry, Table};
use super::error::{ConfigError, ConfigErrorKind};
use super::tls;
use crate::backend::memcached::{MemcachedConfig, MemcachedConfigError};

/// The prefix of due.
const DUE_PREFIX: &str = "due:lock";
/// Where a memcached is if `addrs` is not there.
const DUE_HOST: &str = "127.0.0.1";

/// One server, or several over which locks are spread as due spreads them. Relative paths of files begin in `folder`.
pub(super) fn read(table: &Table<'_>, folder: &Path) -> Result<MemcachedConfig, ConfigError> {
    let mut config = match table.get("addrs") {
        None => MemcachedConfig::new(DUE_HOST),
        Some(entry) => servers(&entry)?,
    };
    if config.is_sharded() {
        refuse_guard(table)?;
    }
    config = config.prefix(DUE_PREFIX);
    if let Some(entry) = table.get("prefix") {
        config = config.prefix(entry.text()?);
        config.validate().map_err(|problem| entry.invalid(problem.to_string()))?;
    }
    if let Some((entry, user, password)) = login(table)? {
        config = config.credentials(user, password);
        config
            .validate()
            .map_err(|problem| entry.error(ConfigErrorKind::InvalidValue, problem.to_string()))?;
    }
    Ok(match tls::read(table, folder)? {
        Some(files) => config.tls(files),
        None => config,
    })
}

fn servers(entry: &Entry<'_>) -> Result<MemcachedConfig, ConfigError> {
    let texts = entry.texts()?;
    MemcachedConfig::sharded(texts.iter().map(|&(text, _)| text)).map_err(|problem| {
        let error = entry.error(ConfigErrorKind::InvalidValue, problem.to_string());
        let line = match problem {
            MemcachedConfigError::Address { number } => texts.get(number - 1).map(|&(_, line)| line),
            _ => None,
        };
        line.into_iter().fold(error, ConfigError::on_line)
    })
}

/// A safeguard that is asked for must be there.
fn refuse_guard(table: &Table<'_>) -> Result<(), ConfigError> {
    match table.get("restartGuard") {
        Some(entry) if entry.boolean()? => Err(entry.error(
            ConfigErrorKind::InvalidValue,
            "locks are spread over several addrs, which keep no marker of their memory; expected false, one address, or \
             independent servers in [lock.redlock]: nodes = [\"memcached://...\", ...]",
        )),
        _ => Ok(()),
    }
}

/// User and password, which memcached has together or not at all, and the entry of the password.
fn login<'t>(table: &'t Table<'_>) -> Result<Option<(Entry<'t>, &'t str, &'t str)>, ConfigError> {
    let lonely = |entry: &Entry<'_>, missing: &str| {
        let problem = format!("{} is set but {missing} is not; memcached needs both", entry.key);
        entry.error(ConfigErrorKind::Incomplete, problem)
    };
    match (table.filled("username")?, table.filled("password")?) {
        (None, None) => Ok(None),
        (Some((entry, _)), None) => Err(lonely(&entry, "password")),
        (None, Some((entry, _))) => Err(lonely(&entry, "username")),
        (Some((_, user)), Some((entry, password))) => Ok(Some((entry, user, password))),
    }
}
