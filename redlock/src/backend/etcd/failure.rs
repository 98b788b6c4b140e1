//! What goes wrong with a request, put into the words and kinds of a node.

use std::sync::Arc;

use etcd_client::Error;

use crate::node::{Effect, NodeError, NodeErrorKind};

/// Why a request was not answered as it should be; the node's address is added last.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) kind: NodeErrorKind,
    /// Of the one request to etcd that failed.
    pub(super) effect: Effect,
    pub(super) detail: String,
    pub(super) answer: Option<Answer>,
    /// Another member may do better.
    pub(super) elsewhere: bool,
    /// The member must be logged in to again.
    pub(super) log_in_again: bool,
}

/// Refusals of etcd on which something depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    LeaseNotFound,
}

impl Failure {
    /// It did nothing, and no other member would.
    pub(super) fn new(kind: NodeErrorKind, detail: impl Into<String>) -> Self {
        let (effect, detail) = (Effect::None, detail.into());
        Self { kind, effect, detail, answer: None, elsewhere: false, log_in_again: false }
    }

    fn elsewhere(self) -> Self {
        Self { elsewhere: true, ..self }
    }

    fn with_unknown_effect(self) -> Self {
        Self { effect: Effect::Unknown, ..self }
    }

    /// No connection could be made, or it broke.
    pub(super) fn unreachable(kind: NodeErrorKind, detail: impl Into<String>) -> Self {
        Self::new(kind, detail).elsewhere()
    }

    /// Nonsense in an answer.
    pub(super) fn nonsense(what: &str) -> Self {
        let detail = format!("the answer makes no sense: {what}; is this etcd, 3.4 or later?");
        Self::new(NodeErrorKind::Protocol, detail).with_unknown_effect()
    }

    /// For a step that changed nothing that matters, whatever became of it.
    pub(super) fn harmless(self) -> Self {
        Self { effect: Effect::None, ..self }
    }

    pub(super) fn into_error(self, node: &Arc<str>) -> NodeError {
        match self.effect {
            Effect::None => NodeError::without_effect(node, self.kind, self.detail),
            Effect::Unknown => NodeError::with_unknown_effect(node, self.kind, self.detail),
        }
    }

    /// What a member answered, or why it did not. `tls`: whether we spoke TLS.
    pub(super) fn of(error: &Error, tls: bool) -> Self {
        match error {
            Error::GRpcStatus(status) => {
                let text = status.message();
                match text.strip_prefix("etcdserver: ") {
                    Some(said) => of_server(said),
                    None if text.starts_with("auth: ") => of_server(text),
                    None => of_transport(text, &causes(status), tls),
                }
            }
            Error::TransportError(error) => of_transport(&error.to_string(), &causes(error), tls),
            Error::IoError(error) => of_transport(&error.to_string(), &causes(error), tls),
            other => Self::nonsense(&other.to_string()),
        }
    }
}

/// What etcd says of itself, and what it means. All but the last ones say that nothing was done.
fn of_server(said: &str) -> Failure {
    use NodeErrorKind::{Denied, NotReady, Overloaded, ReadOnly, Unsupported};
    let has = |part: &str| said.contains(part);
    let told = |kind, advice: &str| {
        let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        Failure::new(kind, format!("etcd refuses: {said}{advice}"))
    };
    if has("requested lease not found") {
        return Failure { answer: Some(Answer::LeaseNotFound), ..told(NotReady, "") };
    }
    if has("database space exceeded") {
        return told(
            ReadOnly,
            "its quota is used up: compact and defragment it, raise quota-backend-bytes, then `etcdctl alarm disarm`",
        );
    }
    if has("permission denied") {
        return told(Denied, "grant the user's role readwrite on the prefixes of EtcdNode's documentation");
    }
    if has("user name is empty") || has("user name not found") {
        return told(Denied, "it wants a user: give user and password");
    }
    if has("authentication is not enabled") {
        return told(Denied, "a user is configured: run `etcdctl auth enable`, or leave the user out");
    }
    if has("authentication failed") {
        return told(Denied, "check user and password");
    }
    if has("invalid auth token") || has("revision of auth store is old") {
        return Failure { log_in_again: true, ..told(NotReady, "logging in again").elsewhere() };
    }
    if has("not capable") || has("unknown") {
        return told(Unsupported, "3.4 or later is needed");
    }
    if has("too many requests") || has("too many operations") {
        return told(Overloaded, "");
    }
    if has("too large lease TTL") {
        return told(Unsupported, "");
    }
    // No leader, a learner, stopping, a raft that has lost its leader: another member may know better.
    let not_now = told(NotReady, "").elsewhere();
    if has("no leader") || has("learner") || has("server stopped") {
        return not_now;
    }
    not_now.with_unknown_effect()
}

/// A connection that was not made, or broke while the answer was awaited.
fn of_transport(text: &str, causes: &str, tls: bool) -> Failure {
    let all = format!("{text}: {causes}");
    let has = |part: &str| all.contains(part);
    if has("certificate")
        || has("BadCertificate")
        || has("HandshakeFailure")
        || has("corrupt message")
        || has("alert")
    {
        let question = "does the server speak TLS, and do both sides trust each other's certificates?";
        return Failure::unreachable(NodeErrorKind::Tls, format!("TLS failed: {causes}; {question}"));
    }
    if has("lookup address") || has("dns error") {
        return Failure::unreachable(NodeErrorKind::Unreachable, "the host does not resolve");
    }
    if has("Connection refused")
        || has("connect error")
        || has("error trying to connect")
        || has("deadline has elapsed")
    {
        return Failure::unreachable(NodeErrorKind::Unreachable, format!("cannot connect: {causes}"));
    }
    if has("unknown service")
        || has("unknown method")
        || has("grpc-status header missing")
        || has("content-type")
    {
        let detail = format!("the server does not speak etcd's protocol, 3.4 or later: {text}");
        return Failure::new(NodeErrorKind::Unsupported, detail);
    }
    let hint = if tls { "" } else { "; does the server want TLS?" };
    let detail = format!("the connection ended before the answer: {text}{hint}");
    Failure::unreachable(NodeErrorKind::Disconnected, detail).with_unknown_effect()
}

/// What caused an error, the deepest last, each once.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_says_has_a_kind_and_an_effect() {
        use Effect::{None, Unknown};
        for (said, kind, effect) in [
            ("mvcc: database space exceeded", NodeErrorKind::ReadOnly, None),
            ("permission denied", NodeErrorKind::Denied, None),
            ("authentication failed, invalid user ID or password", NodeErrorKind::Denied, None),
            ("no leader", NodeErrorKind::NotReady, None),
            ("leader changed", NodeErrorKind::NotReady, Unknown),
            ("request timed out, possibly due to previous leader failure", NodeErrorKind::NotReady, Unknown),
        ] {
            let failure = of_server(said);
            assert_eq!((failure.kind, failure.effect), (kind, effect), "{said}");
        }
        assert_eq!(of_server("requested lease not found").answer, Some(Answer::LeaseNotFound));
    }
}
