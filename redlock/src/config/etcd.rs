//! `[lock.etcd]`: how to reach the ensemble.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::document::{Entry, Table, quoted};
use super::error::{ConfigError, ConfigErrorKind};
use crate::backend::etcd::{EtcdConfig, EtcdConfigError, TlsFiles};

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
        (Some((entry, _)), None) => return Err(lonely(&entry, "password", "a log-in")),
        (None, Some((entry, _))) => return Err(lonely(&entry, "username", "a log-in")),
    };
    Ok(match tls(table, folder)? {
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

/// `None` if no file is named. One that is named must be readable: TLS is never left out in silence.
fn tls(table: &Table<'_>, folder: &Path) -> Result<Option<TlsFiles>, ConfigError> {
    let (ca, cert, key) = (table.filled("caFile")?, table.filled("certFile")?, table.filled("keyFile")?);
    let files = match (ca, cert, key) {
        (None, None, None) => return Ok(None),
        (_, Some((cert, _)), None) => return Err(lonely(&cert, "keyFile", "a client certificate")),
        (_, None, Some((key, _))) => return Err(lonely(&key, "certFile", "a client certificate")),
        (ca, cert, key) => [ca, cert, key].map(|file| file.map(|file| readable(file, folder)).transpose()),
    };
    let [ca, cert, key] = files;
    let files = ca?.map_or_else(TlsFiles::platform, |ca| TlsFiles::platform().ca(ca));
    Ok(Some(match (cert?, key?) {
        (Some(cert), Some(key)) => files.client(cert, key),
        _ => files,
    }))
}

fn lonely(entry: &Entry<'_>, missing: &str, what: &str) -> ConfigError {
    let problem = format!("{} is set but {missing} is not; {what} needs both", entry.key);
    entry.error(ConfigErrorKind::Incomplete, problem)
}

fn readable((entry, name): (Entry<'_>, &str), folder: &Path) -> Result<PathBuf, ConfigError> {
    let path = folder.join(name);
    check(&path).map_err(|error| {
        let shown = quoted(&path.display().to_string());
        entry.error(ConfigErrorKind::File, format!("cannot read the file {shown}: {error}"))
    })?;
    Ok(path)
}

fn check(path: &Path) -> io::Result<()> {
    // Before it is opened: opening a pipe would wait for its writer.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path).map(drop)
}
