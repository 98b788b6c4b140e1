//! The files of TLS towards servers, of whatever kind.

use std::path::PathBuf;

/// The PEM files for TLS. Without any of them the platform's roots judge the server, and the client shows no certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// Certificates of the authorities that may have signed the server's certificate; `None`: the platform's.
    pub ca: Option<PathBuf>,
    /// The client's certificate, with its chain. Needs `key`.
    pub cert: Option<PathBuf>,
    /// The private key of `cert`.
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// The platform's roots and no client certificate.
    pub fn platform() -> Self {
        Self::default()
    }

    /// Trusts the authorities in this file, and no others.
    #[must_use]
    pub fn ca(self, path: impl Into<PathBuf>) -> Self {
        Self { ca: Some(path.into()), ..self }
    }

    /// Shows this certificate to the server.
    #[must_use]
    pub fn cert(self, path: impl Into<PathBuf>) -> Self {
        Self { cert: Some(path.into()), ..self }
    }

    /// Sets the private key of the client's certificate.
    #[must_use]
    pub fn key(self, path: impl Into<PathBuf>) -> Self {
        Self { key: Some(path.into()), ..self }
    }
}
