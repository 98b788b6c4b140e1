//! TLS towards a memcached.

use std::sync::Arc;

use rustls::client::Resumption;

use super::config::{MemcachedConfigError, TlsFiles};
use super::stream::Tls;
use crate::node::tls::{TlsProblem, client_config};

pub(super) fn load(files: &TlsFiles) -> Result<Tls, MemcachedConfigError> {
    let mut config = client_config(files)?;
    // A memcached that verifies clients refuses sessions that are resumed: it sets no session id context. Connections are few.
    config.resumption = Resumption::disabled();
    Ok(Some(tokio_rustls::TlsConnector::from(Arc::new(config))))
}

impl From<TlsProblem> for MemcachedConfigError {
    fn from(problem: TlsProblem) -> Self {
        match problem {
            TlsProblem::File { path, expected, reason } => Self::TlsFile { path, expected, reason },
            TlsProblem::Incomplete { given, missing } => Self::TlsIncomplete { given, missing },
            TlsProblem::Unusable { reason } => Self::Tls { reason },
        }
    }
}
