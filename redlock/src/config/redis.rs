//! `[lock.redlock]` and `[lock.redis]`: how to reach every Redis in them.

pub(super) mod nodes;

use std::path::Path;

use super::document::{Entry, Table};
use super::error::{ConfigError, ConfigErrorKind};
use super::tls;
use crate::backend::redis::{RedisConfig, RedisConfigError};
use crate::builder::NodeConfig;

/// The prefix of due.
const DUE_PREFIX: &str = "due:lock";
/// Where a Redis is if `addrs` is not there.
const DUE_HOST: &str = "127.0.0.1";

/// The nodes of `[lock.redlock]`. Relative paths of files begin in `folder`.
pub(super) fn read_nodes(table: &Table<'_>, folder: &Path) -> Result<Vec<NodeConfig>, ConfigError> {
    nodes::read(table, &read_common(table, RedisConfig::DEFAULT_PREFIX, folder)?)
}

/// The one Redis of `[lock.redis]`, the one that sentinels name, or a Cluster. Relative paths of files begin in `folder`.
pub(super) fn read_node(table: &Table<'_>, folder: &Path) -> Result<RedisConfig, ConfigError> {
    // The client's own retries, as due has them; ours are off, for a request that is repeated behind the lock's back
    // may find the lock taken by its own first copy. Checked, and without effect.
    table.get("maxRetries").map(|entry| entry.integer()).transpose()?;
    let common = read_common(table, DUE_PREFIX, folder)?;
    let master_name = table.filled("masterName")?;
    let login = sentinel_login(table, master_name.is_some())?;
    let Some(entry) = table.get("addrs") else {
        return match master_name {
            None => Ok(common),
            Some((entry, _)) => Err(entry.error(
                ConfigErrorKind::Incomplete,
                "there are no addrs; with masterName they are the sentinels, such as [\"10.0.0.1:26379\", ...]",
            )),
        };
    };
    let texts = entry.texts()?;
    let addresses = addresses(&entry, &texts)?;
    let several = || texts.iter().map(|&(text, _)| text);
    let refused = |problem: RedisConfigError| entry.error(ConfigErrorKind::InvalidValue, problem.to_string());
    match (master_name, addresses.as_slice()) {
        (Some((name_entry, name)), _) => {
            let node = RedisConfig::sentinel(name, several()).map_err(|problem| match problem {
                RedisConfigError::MasterName => name_entry.invalid(problem.to_string()),
                problem => refused(problem),
            })?;
            Ok(login.into_iter().fold(node.completed_by(&common), |node, (set, text)| set(node, text)))
        }
        (None, [one]) => Ok(one.clone().completed_by(&common)),
        // Without a database, as due has it: a Cluster has none but 0.
        (None, _) => {
            refuse_guard(table)?;
            Ok(RedisConfig::cluster(several()).map_err(refused)?.completed_by(&common.db(0)))
        }
    }
}

/// A safeguard that is asked for must be there.
fn refuse_guard(table: &Table<'_>) -> Result<(), ConfigError> {
    match table.get("restartGuard") {
        Some(entry) if entry.boolean()? => Err(entry.error(
            ConfigErrorKind::InvalidValue,
            "several addrs are a Redis Cluster, which keeps no marker of its memory; expected false, one address, or \
             independent masters in [lock.redlock]",
        )),
        _ => Ok(()),
    }
}

type Setter = fn(RedisConfig, String) -> RedisConfig;

/// Who we are at the sentinels.
fn sentinel_login(table: &Table<'_>, has_master: bool) -> Result<Vec<(Setter, String)>, ConfigError> {
    let keys: [(&str, Setter); 2] = [
        ("sentinelUsername", RedisConfig::sentinel_username),
        ("sentinelPassword", RedisConfig::sentinel_password),
    ];
    let mut login = Vec::new();
    for (key, set) in keys {
        let Some((entry, text)) = table.filled(key)? else { continue };
        if !has_master {
            let problem = format!("{key} is set but masterName is not; without it addrs are no sentinels");
            return Err(entry.error(ConfigErrorKind::Incomplete, problem));
        }
        login.push((set, text.to_owned()));
    }
    Ok(login)
}

/// Each of `addrs` as a server of its own; at least one.
fn addresses(entry: &Entry<'_>, texts: &[(&str, usize)]) -> Result<Vec<RedisConfig>, ConfigError> {
    if texts.is_empty() {
        return Err(entry.error(
            ConfigErrorKind::InvalidValue,
            "there are no addresses; expected one, such as [\"127.0.0.1:6379\"]",
        ));
    }
    let address = |&(text, line): &(&str, usize)| {
        let refused = |problem| entry.error(ConfigErrorKind::InvalidValue, problem).on_line(line);
        if text.contains("://") {
            let problem = "expected host:port; a URL belongs into [lock.redlock]: nodes = [\"redis://...\"]";
            return Err(refused(problem));
        }
        nodes::parse_address(text).ok_or_else(|| refused(nodes::ADDRESS_EXPECTED))
    };
    texts.iter().map(address).collect()
}

/// What a table says about every Redis in it, as the configuration of one at due's address.
fn read_common(table: &Table<'_>, prefix: &str, folder: &Path) -> Result<RedisConfig, ConfigError> {
    let mut common = RedisConfig::new(DUE_HOST).prefix(prefix);
    if let Some(entry) = table.get("prefix") {
        common = common.prefix(entry.text()?);
        common.validate().map_err(|problem| entry.invalid(problem.to_string()))?;
    }
    if let Some(entry) = table.get("db") {
        let expected = || entry.invalid(format!("expected the number of a database, 0 to {}", u32::MAX));
        common = common.db(u32::try_from(entry.integer()?).map_err(|_| expected())?);
    }
    let (username, password) = (table.filled("username")?, table.filled("password")?);
    if let (Some((entry, _)), None) = (&username, &password) {
        return Err(entry.error(
            ConfigErrorKind::Incomplete,
            "there is a username but no password, so that nobody would be logged in; give both \
             (a user without a password, nopass, accepts any)",
        ));
    }
    if let Some((_, username)) = username {
        common = common.username(username);
    }
    if let Some((_, password)) = password {
        common = common.password(password);
    }
    Ok(match tls::read(table, folder)? {
        Some(files) => common.tls(files),
        None => common,
    })
}
