//! Why a node did not answer, and whether the request may have taken effect all the same.

use std::sync::Arc;

/// A request to a node failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{node}: {detail}")]
#[non_exhaustive]
pub struct NodeError {
    /// The node's address, without credentials.
    pub node: Arc<str>,
    /// What kind of failure it was.
    pub kind: NodeErrorKind,
    /// Whether the request may have taken effect.
    pub effect: Effect,
    /// What happened, what was expected, what to do. Never contains a secret.
    pub detail: String,
}

/// Whether a failed request may have taken effect on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It certainly has not: it was never sent, or the node said so.
    None,
    /// Nobody knows: the node must be treated as if it had, until a release has been answered.
    Unknown,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeErrorKind {
    /// No connection: refused, unreachable, or the name does not resolve. It may heal by itself.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The connection broke while the answer was awaited.
    Disconnected,
    /// Too many requests are waiting for this node already.
    Overloaded,
    /// The node wants credentials, refuses ours, or does not allow a command (ACL).
    Denied,
    /// TLS could not be set up: certificates, names, or plain text on one side.
    Tls,
    /// The server is not what this backend speaks to, or its answer makes no sense.
    Protocol,
    /// The server is too old, or lacks something that is needed.
    Unsupported,
    /// The node takes no writes: a replica, or out of memory or disk.
    ReadOnly,
    /// The key holds something that no lock has written.
    WrongType,
    /// The server is a member of a Redis Cluster, and another member keeps this name.
    Moved,
    /// The node's own state forbids it for now: it is loading, busy or shutting down, or its memory is about to be judged.
    NotReady,
    /// The node's clock was set, or differs from the others' and has not been watched for long enough: its vote does not count.
    Clock,
    /// The node belongs to another set of nodes, or its clients were configured differently.
    Foreign,
}

impl NodeErrorKind {
    /// Whether waiting can heal it; otherwise somebody must change a setting.
    pub fn is_transient(self) -> bool {
        use NodeErrorKind::{Denied, Foreign, Moved, Protocol, Tls, Unsupported};
        !matches!(self, Denied | Tls | Protocol | Unsupported | Moved | Foreign)
    }
}

impl NodeError {
    /// A failure of a request that certainly had no effect.
    pub fn without_effect(node: &Arc<str>, kind: NodeErrorKind, detail: impl Into<String>) -> Self {
        Self { node: Arc::clone(node), kind, effect: Effect::None, detail: detail.into() }
    }

    /// A failure of a request that may have taken effect.
    pub fn with_unknown_effect(node: &Arc<str>, kind: NodeErrorKind, detail: impl Into<String>) -> Self {
        Self { node: Arc::clone(node), kind, effect: Effect::Unknown, detail: detail.into() }
    }
}
