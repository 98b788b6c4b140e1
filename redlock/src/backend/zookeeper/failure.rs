//! What an error of the client means for a request, in words that say what to do.

use std::sync::Arc;

use zookeeper_client::Error;

use crate::node::{Effect, NodeError, NodeErrorKind};

/// A failure, before it is known whose request it was.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) kind: NodeErrorKind,
    pub(super) detail: String,
    /// The server has said no: nothing has changed.
    refused: bool,
}

impl Failure {
    pub(super) fn new(kind: NodeErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), refused: false }
    }

    /// Of a request that changes nothing, or was never sent.
    pub(super) fn without_effect(self, node: &Arc<str>) -> NodeError {
        NodeError::without_effect(node, self.kind, self.detail)
    }

    /// Of a request that may have changed something.
    pub(super) fn of_write(self, node: &Arc<str>) -> NodeError {
        let effect = if self.refused { Effect::None } else { Effect::Unknown };
        NodeError { node: Arc::clone(node), kind: self.kind, effect, detail: self.detail }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        use NodeErrorKind as Kind;
        let (kind, detail, refused) = match &error {
            Error::NoAuth => (
                Kind::Denied,
                "the server denies it: the znodes below the prefix belong to another user; give the user and password that \
                 created them, or another prefix"
                    .to_owned(),
                true,
            ),
            Error::AuthFailed => {
                let detail = "the server refuses these credentials; it must allow the scheme `digest`";
                (Kind::Denied, detail.to_owned(), false)
            }
            Error::InvalidAcl => {
                let detail = "the server takes no ACL for this user; it must allow the scheme `digest`";
                (Kind::Denied, detail.to_owned(), true)
            }
            Error::NotReadOnly => {
                let detail = "the server is cut off from its leader and only reads".to_owned();
                (Kind::ReadOnly, detail, true)
            }
            Error::QuotaExceeded => {
                (Kind::ReadOnly, "the quota of the path is used up; raise it".to_owned(), true)
            }
            Error::Throttled => (Kind::Overloaded, "the server has too much to do".to_owned(), true),
            Error::Unimplemented | Error::MarshallingError => {
                let detail = format!("the server does not know a request ({error}); 3.5 or later is needed");
                (Kind::Unsupported, detail, true)
            }
            Error::NoHosts => (Kind::Unreachable, "no member of the ensemble can be reached".to_owned(), true),
            Error::Timeout => (Kind::Timeout, "no answer in time".to_owned(), false),
            Error::SessionMoved => {
                (Kind::Disconnected, "the session has moved to another member".to_owned(), true)
            }
            Error::SessionExpired => (Kind::Disconnected, "the session has ended".to_owned(), false),
            Error::ClientClosed => (Kind::Disconnected, "the session was closed".to_owned(), false),
            Error::ConnectionLoss | Error::Custom(_) => {
                (Kind::Disconnected, "the connection broke while the answer was awaited".to_owned(), false)
            }
            error => (Kind::Protocol, format!("unexpected answer: {error}"), false),
        };
        Self { kind, detail, refused }
    }
}

/// Whether somebody else has changed what the request was built on: it is to be looked at again.
pub(super) fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::BadVersion | Error::NodeExists | Error::NoNode | Error::NotEmpty)
}
