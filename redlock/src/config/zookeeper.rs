//! `[lock.zookeeper]`: how to reach the ensemble, and how long its sessions last.

use std::path::{Path, PathBuf};

use super::document::{Entry, Table};
use super::error::{ConfigError, ConfigErrorKind};
use crate::backend::zookeeper::{ZooKeeperConfig, ZooKeeperConfigError};

/// As in the other tables of one store.
const PREFIX: &str = "due:lock";
/// Where it is if `addrs` is not there.
const HOST: &str = "127.0.0.1";

/// Relative paths of files begin in `folder`.
pub(super) fn read(table: &Table<'_>, folder: &Path) -> Result<ZooKeeperConfig, ConfigError> {
    let mut config = members(table)?.prefix(PREFIX);
    let at = |entry: &Entry<'_>, config: ZooKeeperConfig| match config.validate() {
        // That belongs to the files, which are read last.
        Ok(()) | Err(ZooKeeperConfigError::TlsWithoutCa) => Ok(config),
        Err(problem) => Err(entry.error(ConfigErrorKind::InvalidValue, problem.to_string())),
    };
    if let Some(entry) = table.get("prefix") {
        config = at(&entry, config.prefix(entry.text()?))?;
    }
    for (key, set) in [
        ("touchDelay", ZooKeeperConfig::touch_delay as fn(_, _) -> _),
        ("sessionTimeout", ZooKeeperConfig::session_timeout),
    ] {
        if let Some(entry) = table.get(key) {
            config = at(&entry, set(config, entry.duration()?))?;
        }
    }
    match (table.filled("username")?, table.filled("password")?) {
        (None, None) => {}
        (Some((entry, user)), Some((_, password))) => config = at(&entry, config.login(user, password))?,
        (Some((entry, _)), None) | (None, Some((entry, _))) => {
            let problem = "username and password are needed together (digest authentication)";
            return Err(entry.error(ConfigErrorKind::Incomplete, problem));
        }
    }
    files(table, folder, config)
}

fn members(table: &Table<'_>) -> Result<ZooKeeperConfig, ConfigError> {
    let Some(entry) = table.get("addrs") else {
        return ZooKeeperConfig::new([HOST])
            .map_err(|problem| table.error(ConfigErrorKind::InvalidValue, problem.to_string()));
    };
    let texts = entry.texts()?;
    ZooKeeperConfig::new(texts.iter().map(|&(text, _)| text)).map_err(|problem| {
        let line = match &problem {
            ZooKeeperConfigError::Member { position, .. } => {
                texts.get(position.saturating_sub(1)).map(|&(_, line)| line)
            }
            _ => None,
        };
        let error = entry.error(ConfigErrorKind::InvalidValue, problem.to_string());
        match line {
            Some(line) => error.on_line(line),
            None => error,
        }
    })
}

/// One that is named must be readable: TLS is never left out in silence.
#[cfg_attr(not(feature = "tls"), allow(unused_assignments, reason = "it is an error there, whatever it is"))]
fn files(
    table: &Table<'_>,
    folder: &Path,
    mut config: ZooKeeperConfig,
) -> Result<ZooKeeperConfig, ConfigError> {
    let path = |key| -> Result<Option<(Entry<'_>, PathBuf)>, ConfigError> {
        let Some((entry, name)) = table.filled(key)? else { return Ok(None) };
        let path = folder.join(name);
        let is_file = path.metadata().and_then(|data| {
            // Opening a pipe would wait for its writer.
            if data.is_file() {
                std::fs::File::open(&path).map(drop)
            } else {
                Err(std::io::Error::other("it is not a regular file"))
            }
        });
        match is_file {
            Ok(()) => Ok(Some((entry, path))),
            Err(error) => {
                let problem = format!("cannot read the file {}: {error}", path.display());
                Err(entry.error(ConfigErrorKind::File, problem))
            }
        }
    };
    let (ca, certificate, key) = (path("caFile")?, path("certFile")?, path("keyFile")?);
    let Some(first) = [&ca, &certificate, &key].into_iter().flatten().next().map(|(entry, _)| entry) else {
        return Ok(config);
    };
    if let Some((_, path)) = &ca {
        config = config.ca_file(path);
    }
    match (&certificate, &key) {
        (Some((_, certificate)), Some((_, key))) => config = config.client_certificate(certificate, key),
        (None, None) => {}
        (Some((entry, _)), None) | (None, Some((entry, _))) => {
            let problem = "certFile and keyFile are needed together";
            return Err(entry.error(ConfigErrorKind::Incomplete, problem));
        }
    }
    if ca.is_none() {
        let problem = ZooKeeperConfigError::TlsWithoutCa.to_string();
        return Err(first.error(ConfigErrorKind::Incomplete, problem));
    }
    #[cfg(feature = "tls")]
    return Ok(config);
    #[cfg(not(feature = "tls"))]
    Err(first.error(ConfigErrorKind::InvalidValue, ZooKeeperConfigError::NoTls.to_string()))
}
