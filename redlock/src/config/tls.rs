//! The files of TLS: named together, and looked for before anything connects. What is in them, the backend checks.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::document::{Entry, Table, quoted};
use super::error::{ConfigError, ConfigErrorKind};
use crate::node::tls_files::TlsFiles;

/// `None` if no file is named. One that is named must be readable: TLS is never left out in silence.
pub(super) fn read(table: &Table<'_>, folder: &Path) -> Result<Option<TlsFiles>, ConfigError> {
    let (ca, cert, key) = (table.filled("caFile")?, table.filled("certFile")?, table.filled("keyFile")?);
    match (&cert, &key) {
        (Some((cert, _)), None) => return Err(lonely(cert, "keyFile")),
        (None, Some((key, _))) => return Err(lonely(key, "certFile")),
        _ => {}
    }
    let path = |file: Option<_>| file.map(|file| readable(file, folder)).transpose();
    let files = TlsFiles { ca: path(ca)?, cert: path(cert)?, key: path(key)? };
    Ok(Some(files).filter(|files| *files != TlsFiles::platform()))
}

fn lonely(entry: &Entry<'_>, missing: &str) -> ConfigError {
    let problem = format!("{} is set but {missing} is not; a client certificate needs both", entry.key);
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
