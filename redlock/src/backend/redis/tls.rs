//! TLS towards a Redis.

use super::config::{RedisConfigError, TlsFiles};
use super::connection::Tls;
use crate::node::tls::{TlsProblem, client_config};

pub(super) fn load(files: &TlsFiles) -> Result<Tls, RedisConfigError> {
    Ok(Some(fred::types::config::TlsConnector::from(client_config(files)?).into()))
}

impl From<TlsProblem> for RedisConfigError {
    fn from(problem: TlsProblem) -> Self {
        match problem {
            TlsProblem::File { path, expected, reason } => Self::TlsFile { path, expected, reason },
            TlsProblem::Incomplete { given, missing } => Self::TlsIncomplete { given, missing },
            TlsProblem::Unusable { reason } => Self::Tls { reason },
        }
    }
}
