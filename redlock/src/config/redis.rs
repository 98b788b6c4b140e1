//! `[lock.redlock]` and `[lock.redis]`: how to reach every Redis in them.

pub(super) mod nodes;
mod tls;

use std::path::Path;

use super::document::Table;
use super::error::{ConfigError, ConfigErrorKind};
use crate::backend::redis::RedisConfig;

/// The prefix of due.
const DUE_PREFIX: &str = "due:lock";
/// Where a Redis is if `addrs` is not there.
const DUE_HOST: &str = "127.0.0.1";

/// The masters of `[lock.redlock]`. Relative paths of files begin in `folder`.
pub(super) fn read_nodes(table: &Table<'_>, folder: &Path) -> Result<Vec<RedisConfig>, ConfigError> {
    nodes::read(table, &read_common(table, RedisConfig::DEFAULT_PREFIX, folder)?)
}

/// The one Redis of `[lock.redis]`. Relative paths of files begin in `folder`.
pub(super) fn read_node(table: &Table<'_>, folder: &Path) -> Result<RedisConfig, ConfigError> {
    // The client's own retries, as due has them; ours are off, for a request that is repeated behind the lock's back
    // may find the lock taken by its own first copy. Checked, and without effect.
    table.get("maxRetries").map(|entry| entry.integer()).transpose()?;
    let common = read_common(table, DUE_PREFIX, folder)?;
    let Some(entry) = table.get("addrs") else { return Ok(common) };
    match entry.texts()?.as_slice() {
        [] => Err(entry.error(
            ConfigErrorKind::InvalidValue,
            "there are no addresses; expected one, such as [\"127.0.0.1:6379\"]",
        )),
        &[(text, line)] => {
            let refused = |problem| entry.error(ConfigErrorKind::InvalidValue, problem).on_line(line);
            if text.contains("://") {
                let problem = "expected host:port; a URL belongs into [lock.redlock]: nodes = [\"redis://...\"]";
                return Err(refused(problem));
            }
            let node = nodes::parse_address(text).ok_or_else(|| refused(nodes::ADDRESS_EXPECTED))?;
            Ok(node.completed_by(&common))
        }
        several => Err(entry.error(
            ConfigErrorKind::ClusterUnsupported,
            format!(
                "{} addresses mean a Redis Cluster, which is not supported yet; \
                 give one address, or, if they are independent masters, list them in [lock.redlock]: nodes = [...]",
                several.len()
            ),
        )),
    }
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
