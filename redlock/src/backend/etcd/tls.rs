//! TLS towards an etcd: the files are read and checked before anything connects.

use std::path::Path;

use etcd_client::{Certificate, Identity, TlsOptions};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::config::{EtcdConfigError, TlsFiles};

/// What the client needs to know.
pub(super) fn load(files: &TlsFiles) -> Result<TlsOptions, EtcdConfigError> {
    const CA: &str = "certificates of the authorities to trust";
    const CERT: &str = "the client's certificate";
    const KEY: &str = "the private key of the client's certificate";
    let options = match &files.ca {
        Some(path) => TlsOptions::new().ca_certificate(Certificate::from_pem(certificates(path, CA)?)),
        None => TlsOptions::new().with_native_roots(),
    };
    match (&files.cert, &files.key) {
        (None, None) => Ok(options),
        (Some(cert), Some(key)) => {
            let pem = read(key, KEY)?;
            PrivateKeyDer::from_pem_slice(&pem)
                .map_err(|_| file_error(key, KEY, "there is no private key in it"))?;
            Ok(options.identity(Identity::from_pem(certificates(cert, CERT)?, pem)))
        }
        (Some(_), None) => Err(EtcdConfigError::TlsIncomplete { given: "certificate", missing: "key" }),
        (None, Some(_)) => Err(EtcdConfigError::TlsIncomplete { given: "key", missing: "certificate" }),
    }
}

/// The text of a file that holds certificates.
fn certificates(path: &Path, expected: &'static str) -> Result<Vec<u8>, EtcdConfigError> {
    let pem = read(path, expected)?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(|_| file_error(path, expected, "not valid PEM"))?;
        count += 1;
    }
    if count == 0 { Err(file_error(path, expected, "no certificate in it")) } else { Ok(pem) }
}

fn read(path: &Path, expected: &'static str) -> Result<Vec<u8>, EtcdConfigError> {
    std::fs::read(path).map_err(|error| file_error(path, expected, error))
}

/// Without a byte of the file: it may be a key.
fn file_error(path: &Path, expected: &'static str, reason: impl ToString) -> EtcdConfigError {
    EtcdConfigError::TlsFile { path: path.to_owned(), expected, reason: reason.to_string() }
}
