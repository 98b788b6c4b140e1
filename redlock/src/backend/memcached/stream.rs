//! A byte stream to a server, with TLS or without.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::config::{MemcachedConfig, MemcachedConfigError};
use super::failure::Failure;
use super::url::Address;

/// What TLS needs; `None`: plain text.
#[cfg(feature = "tls")]
pub(super) type Tls = Option<tokio_rustls::TlsConnector>;
/// Nothing: this build cannot speak it.
#[cfg(not(feature = "tls"))]
#[derive(Debug, Clone, Default)]
pub(super) struct Tls;

pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

pub(super) type Stream = Box<dyn Bytes>;

/// Reads the files of TLS.
#[cfg(feature = "tls")]
pub(super) fn load_tls(config: &MemcachedConfig) -> Result<Tls, MemcachedConfigError> {
    if config.tls.is_some() {
        config.servers.iter().try_for_each(|server| server_name(&server.host).map(drop))?;
    }
    config.tls.as_ref().map_or(Ok(None), super::tls::load)
}

#[cfg(not(feature = "tls"))]
pub(super) fn load_tls(config: &MemcachedConfig) -> Result<Tls, MemcachedConfigError> {
    if config.tls.is_some() { Err(MemcachedConfigError::TlsNotBuilt) } else { Ok(Tls) }
}

#[cfg(feature = "tls")]
fn server_name(host: &str) -> Result<rustls::pki_types::ServerName<'static>, MemcachedConfigError> {
    rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|_| MemcachedConfigError::Tls {
        reason: "the host is neither an IP address nor a name that a certificate could have".to_owned(),
    })
}

/// Connects.
pub(super) async fn open(address: &Address, tls: &Tls) -> Result<Stream, Failure> {
    let of_connect = |error: io::Error| Failure::of_connect(&error, &address.host);
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(of_connect)?;
    stream.set_nodelay(true).map_err(of_connect)?;
    encrypt(stream, address, tls).await
}

#[cfg(feature = "tls")]
async fn encrypt(stream: TcpStream, address: &Address, tls: &Tls) -> Result<Stream, Failure> {
    let Some(connector) = tls else { return Ok(Box::new(stream)) };
    let name = server_name(&address.host)
        .map_err(|problem| Failure::new(crate::node::NodeErrorKind::Tls, problem.to_string()))?;
    match connector.connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(Failure::of_handshake(&error)),
    }
}

#[cfg(not(feature = "tls"))]
async fn encrypt(stream: TcpStream, _address: &Address, _tls: &Tls) -> Result<Stream, Failure> {
    Ok(Box::new(stream))
}
