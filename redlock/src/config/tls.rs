//! The files of TLS: named together, and checked before anything connects.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::document::{Entry, Table, quoted};
use super::error::{ConfigError, ConfigErrorKind};

/// TLS is on; with these files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Who may have signed the server's certificate; `None`: the system's roots.
    pub(crate) ca: Option<PathBuf>,
    /// What the client shows of itself (mTLS).
    pub(crate) identity: Option<TlsIdentity>,
}

/// A client's certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsIdentity {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl TlsFiles {
    /// `None` if no file is named. One that is named must be readable: TLS is never left out in silence.
    pub(super) fn read(table: &Table<'_>, folder: &Path) -> Result<Option<Self>, ConfigError> {
        let ca = table.filled("caFile")?;
        let identity = match (table.filled("certFile")?, table.filled("keyFile")?) {
            (None, None) => None,
            (Some((cert, _)), None) => return Err(lonely(&cert, "keyFile")),
            (None, Some((key, _))) => return Err(lonely(&key, "certFile")),
            (Some(cert), Some(key)) => {
                Some(TlsIdentity { cert: readable(cert, folder)?, key: readable(key, folder)? })
            }
        };
        let ca = ca.map(|ca| readable(ca, folder)).transpose()?;
        let is_on = ca.is_some() || identity.is_some();
        Ok(is_on.then_some(Self { ca, identity }))
    }
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
