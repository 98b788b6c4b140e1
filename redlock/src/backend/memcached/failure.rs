//! What goes wrong with a connection or a request, put into the words and kinds of a node.

use std::io;
use std::sync::Arc;

use crate::node::{NodeError, NodeErrorKind};

/// Why there is no connection, or why a request was refused; the node's address is added last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: NodeErrorKind,
    pub(super) detail: String,
}

const HINT: &str = "is it memcached 1.6 or later, and do both sides agree on TLS?";

impl Failure {
    pub(super) fn new(kind: NodeErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The same failure, and whom it concerns.
    pub(super) fn at(self, server: &str) -> Self {
        Self { detail: format!("{server}: {}", self.detail), ..self }
    }

    pub(super) fn without_effect(&self, node: &Arc<str>) -> NodeError {
        NodeError::without_effect(node, self.kind, self.detail.clone())
    }

    /// No connection could be opened.
    pub(super) fn of_connect(error: &io::Error, host: &str) -> Self {
        let detail = if error.to_string().contains("failed to lookup address") {
            format!("the host {host} does not resolve ({error})")
        } else {
            lower(error)
        };
        Self::new(NodeErrorKind::Unreachable, detail)
    }

    /// No TLS could be spoken. A refusal of rustls' comes as an error of this kind; the end of the connection as another.
    #[cfg(feature = "tls")]
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        let question = "does the server speak TLS, and do both sides trust each other's certificates?";
        let kind = match error.kind() {
            io::ErrorKind::InvalidData => NodeErrorKind::Tls,
            _ => NodeErrorKind::Unreachable,
        };
        Self::new(kind, format!("TLS failed: {}; {question}", lower(error)))
    }

    /// The connection broke. rustls tells of a certificate that was refused only now.
    pub(super) fn of_io(error: &io::Error, answered: bool) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => {
                Self::new(NodeErrorKind::Tls, format!("TLS failed: {}", lower(error)))
            }
            _ => Self::closed(&lower(error), answered),
        }
    }

    /// The server ended the connection. Another kind of server does that before it has answered anything.
    pub(super) fn closed(why: &str, answered: bool) -> Self {
        let detail = match answered {
            true => format!("the server closed the connection ({why})"),
            false => format!("the server closed the connection before it answered anything ({why}); {HINT}"),
        };
        Self::new(NodeErrorKind::Unreachable, detail)
    }

    /// It is up, and does not behave like memcached.
    pub(super) fn nonsense(why: &str) -> Self {
        let detail = format!("the server does not speak memcached's protocol here: {why}; {HINT}");
        Self::new(NodeErrorKind::Protocol, detail)
    }

    /// It does not take a command. The text is the server's own.
    pub(super) fn alien(text: &str) -> Self {
        let text: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
        match text.as_str() {
            "CLIENT_ERROR unauthenticated" => {
                Self::new(NodeErrorKind::Denied, "the server wants a user and a password, and none is given")
            }
            "CLIENT_ERROR authentication failure" => {
                Self::new(NodeErrorKind::Denied, "the server refuses the user or the password")
            }
            "ERROR" => Self::new(
                NodeErrorKind::Unsupported,
                "the server does not know a command that is needed; memcached 1.6 or later is",
            ),
            _ => Self::new(NodeErrorKind::Protocol, format!("the server refused a command: {text}")),
        }
    }
}

fn lower(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}
