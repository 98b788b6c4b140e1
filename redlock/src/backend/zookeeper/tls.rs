//! TLS towards an ensemble. The client library takes its cryptography from the process's default provider: where there is
//! none, ring becomes it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zookeeper_client::TlsOptions;

use super::config::{TlsFiles, ZooKeeperConfigError};
use super::failure::Failure;
use crate::node::NodeErrorKind;

const CA: &str = "certificates of the authorities to trust, as PEM";
const CERTIFICATE: &str = "the client's certificate, as PEM";
const KEY: &str = "the private key of the client's certificate, as PEM";

/// Whether the files can be used, and the members can have certificates: the client library takes that for granted. Sets the process's default provider if there is none.
pub(super) fn check(files: &TlsFiles, members: &[String]) -> Result<(), ZooKeeperConfigError> {
    for (index, member) in members.iter().enumerate() {
        if ServerName::try_from(host(member)).is_err() {
            let reason = "no certificate can be made out for such a host";
            return Err(ZooKeeperConfigError::Member { position: index + 1, reason });
        }
    }
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may come first: there is one then.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    load(files).map(drop)
}

/// For the client library. The files are read anew for every session, so that certificates can be renewed.
pub(super) fn options(files: &TlsFiles) -> Result<TlsOptions, Failure> {
    let unusable = |problem: String| Failure::new(NodeErrorKind::Tls, problem);
    let text = |path: &Path, expected| read(path, expected).map_err(|error| unusable(error.to_string()));
    let refused = |error: zookeeper_client::Error| unusable(format!("the TLS files are of no use: {error}"));
    let mut options = TlsOptions::new();
    if let Some(ca) = &files.ca {
        options = options.with_pem_ca(&text(ca, CA)?).map_err(refused)?;
    }
    if let (Some(certificate), Some(key)) = (&files.certificate, &files.key) {
        let identity = (text(certificate, CERTIFICATE)?, text(key, KEY)?);
        options = options.with_pem_identity(&identity.0, &identity.1).map_err(refused)?;
    }
    Ok(options)
}

/// Tries a handshake, for its error: the client library shows none.
pub(super) async fn shake_hands(files: &TlsFiles, member: &str, stream: TcpStream) -> Result<(), String> {
    let config = load(files).map_err(|error| error.to_string())?;
    let host = ServerName::try_from(host(member).to_owned()).map_err(|error| error.to_string())?;
    let shaken = TlsConnector::from(Arc::new(config)).connect(host, stream).await;
    shaken.map(drop).map_err(|error| format!("the TLS handshake failed: {error}"))
}

fn host(member: &str) -> &str {
    member.rsplit_once(':').map_or(member, |(host, _)| host).trim_matches(['[', ']'])
}

fn load(files: &TlsFiles) -> Result<ClientConfig, ZooKeeperConfigError> {
    let unusable = |path: &Path, expected, reason: String| ZooKeeperConfigError::TlsFile {
        path: path.to_owned(),
        expected,
        reason,
    };
    let certificates = |path: &Path, expected| {
        let text = read(path, expected)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            // In words, and without a byte of the file.
            _ => Err(unusable(path, expected, "no valid certificate in it".into())),
        }
    };
    let mut roots = RootCertStore::empty();
    let ca = files.ca.as_deref().ok_or(ZooKeeperConfigError::TlsWithoutCa)?;
    for certificate in certificates(ca, CA)? {
        roots.add(certificate).map_err(|error| unusable(ca, CA, error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(ca, CA, error.to_string()))?
        .with_root_certificates(roots);
    let (Some(path), Some(key_path)) = (&files.certificate, &files.key) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(path, CERTIFICATE)?;
    let key = PrivateKeyDer::from_pem_slice(read(key_path, KEY)?.as_bytes())
        .map_err(|_| unusable(key_path, KEY, "no valid private key in it".into()))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| unusable(path, CERTIFICATE, error.to_string()))
}

fn read(path: &Path, expected: &'static str) -> Result<String, ZooKeeperConfigError> {
    let text = path.metadata().and_then(|data| {
        // Before it is opened: opening a pipe would wait for its writer.
        if data.is_file() {
            std::fs::read_to_string(path)
        } else {
            Err(io::Error::other("it is not a regular file"))
        }
    });
    text.map_err(|error| ZooKeeperConfigError::TlsFile {
        path: path.to_owned(),
        expected,
        reason: error.to_string(),
    })
}
