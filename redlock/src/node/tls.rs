//! From the files of TLS to a client's configuration, with the ring provider named explicitly: which one is the process's default,
//! and whether there is one, is decided by other crates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::load_native_certs;

use super::tls_files::TlsFiles;

/// Why files cannot be used; each backend has words of its own for it.
pub(crate) enum TlsProblem {
    /// A file.
    File { path: PathBuf, expected: &'static str, reason: String },
    /// The client's certificate comes without its key, or the other way round.
    Incomplete { given: &'static str, missing: &'static str },
    /// Certificates, key and the platform do not go together.
    Unusable { reason: String },
}

/// Reads the files; blocks the thread meanwhile.
pub(crate) fn client_config(files: &TlsFiles) -> Result<ClientConfig, TlsProblem> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots(files.ca.as_deref())?);
    match (&files.cert, &files.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert, "the client's certificate")?;
            builder.with_client_auth_cert(chain, private_key(key)?).map_err(unusable)
        }
        (Some(_), None) => Err(TlsProblem::Incomplete { given: "certificate", missing: "key" }),
        (None, Some(_)) => Err(TlsProblem::Incomplete { given: "key", missing: "certificate" }),
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, TlsProblem> {
    const CA: &str = "certificates of the authorities to trust";
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path, CA)? {
                roots.add(certificate).map_err(|error| file_error(path, CA, error))?;
            }
        }
        None => {
            let found = load_native_certs();
            // Some that cannot be read are common; none at all means that no server could be trusted.
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
                let reason = format!("the platform has no root certificates{why}; name a CA file");
                return Err(TlsProblem::Unusable { reason });
            }
        }
    }
    Ok(roots)
}

fn certificates(path: &Path, expected: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path, expected)?).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(file_error(path, expected, "no certificate in it"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(file_error(path, expected, pem_reason(&error))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsProblem> {
    const KEY: &str = "the private key of the client's certificate";
    PrivateKeyDer::from_pem_slice(&read(path, KEY)?)
        .map_err(|error| file_error(path, KEY, pem_reason(&error)))
}

fn read(path: &Path, expected: &'static str) -> Result<Vec<u8>, TlsProblem> {
    std::fs::read(path).map_err(|error| file_error(path, expected, error))
}

/// In words, and without a byte of the file: it may be a key.
fn pem_reason(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "nothing of that kind in it",
        _ => "not valid PEM",
    }
}

fn file_error(path: &Path, expected: &'static str, reason: impl ToString) -> TlsProblem {
    TlsProblem::File { path: path.to_owned(), expected, reason: reason.to_string() }
}

fn unusable(error: rustls::Error) -> TlsProblem {
    TlsProblem::Unusable { reason: error.to_string() }
}
