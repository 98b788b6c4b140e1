//! What goes wrong with a connection or a command, put into the words and kinds of a node.

use std::sync::Arc;

use fred::error::{Error, ErrorKind};

use crate::node::{NodeError, NodeErrorKind};

/// Why there is no connection, or why a command was refused; the node's address is added last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: NodeErrorKind,
    pub(super) detail: String,
}

impl Failure {
    pub(super) fn new(kind: NodeErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The same failure, and what could not be done because of it.
    pub(super) fn about(self, what: &str) -> Self {
        Self { detail: format!("{what}: {}", self.detail), ..self }
    }

    pub(super) fn without_effect(&self, node: &Arc<str>) -> NodeError {
        NodeError::without_effect(node, self.kind, self.detail.clone())
    }

    /// A connection attempt that fred gave up. `tls`: whether we spoke TLS; `host`: whom we looked for.
    pub(super) fn of_attempt(error: &Error, tls: bool, host: &str) -> Self {
        let text = error.details();
        match error.kind() {
            ErrorKind::Auth => Self::new(NodeErrorKind::Denied, text),
            ErrorKind::Protocol | ErrorKind::Parse | ErrorKind::InvalidArgument | ErrorKind::NotFound => {
                not_redis(&format!("its answer makes no sense: {text}"))
            }
            ErrorKind::Timeout => Self::new(NodeErrorKind::Unreachable, "no answer in time"),
            ErrorKind::IO => of_io(text, tls, host),
            #[cfg(feature = "tls")]
            ErrorKind::Tls => Self::new(NodeErrorKind::Tls, text),
            // Error replies, which fred tells by their first word, if at all.
            _ => {
                let kind = server_error(text).unwrap_or(NodeErrorKind::Unreachable);
                Self::new(kind, format!("the server refused the connection: {text}"))
            }
        }
    }
}

const HINT: &str = "is it Redis or Valkey, and do both sides agree on TLS?";

/// A server that is up and does not behave like Redis.
pub(super) fn not_redis(why: &str) -> Failure {
    let detail = format!("the server does not speak Redis's protocol here: {why}; {HINT}");
    Failure::new(NodeErrorKind::Protocol, detail)
}

/// The end of a connection while it was being set up. Another kind of server does that, and one that is just dying.
pub(super) fn closed_early(why: &str) -> Failure {
    let detail = format!("the server closed the connection while it was being set up ({why}); {HINT}");
    Failure::new(NodeErrorKind::Unreachable, detail)
}

/// fred hands an [`std::io::Error`] on as its Debug text.
fn of_io(text: &str, tls: bool, host: &str) -> Failure {
    let mut message = message(text).to_owned();
    if text.contains("failed to lookup address") {
        let detail = format!("the host {host} does not resolve ({message})");
        return Failure::new(NodeErrorKind::Unreachable, detail);
    }
    // rustls hands its errors on under this kind.
    if tls && text.contains("InvalidData") {
        let question = "does the server speak TLS, and do both sides trust each other's certificates?";
        return Failure::new(NodeErrorKind::Tls, format!("TLS failed: {message}; {question}"));
    }
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let closed = ["ConnectionReset", "ConnectionAborted", "BrokenPipe", "UnexpectedEof", "Connection closed"];
    if closed.iter().any(|kind| text.contains(kind)) {
        return closed_early(&message);
    }
    Failure::new(NodeErrorKind::Unreachable, message)
}

/// The last field of `Os { .., message: "..." }` or `Custom { .., error: ... }`; the text itself if it is neither.
fn message(text: &str) -> &str {
    let field = ["message: ", "error: "].iter().find_map(|name| text.split_once(name));
    match field {
        Some((_, value)) => value.trim_end_matches([' ', '}']).trim_matches('"'),
        None => text,
    }
}

/// Error replies that say for certain that the command changed nothing, and what they mean. A reply that is not among
/// them (a proxy's own, say) leaves the effect open.
const REPLIES: &[(&str, NodeErrorKind)] = &[
    ("NOSCRIPT", NodeErrorKind::NotReady),
    ("WRONGTYPE", NodeErrorKind::WrongType),
    ("READONLY", NodeErrorKind::ReadOnly),
    ("OOM", NodeErrorKind::ReadOnly),
    ("MISCONF", NodeErrorKind::ReadOnly),
    ("NOREPLICAS", NodeErrorKind::ReadOnly),
    ("LOADING", NodeErrorKind::NotReady),
    ("MASTERDOWN", NodeErrorKind::NotReady),
    ("BUSY", NodeErrorKind::NotReady),
    ("ERR max number of clients", NodeErrorKind::NotReady),
    ("NOAUTH", NodeErrorKind::Denied),
    ("WRONGPASS", NodeErrorKind::Denied),
    ("NOPERM", NodeErrorKind::Denied),
    ("DENIED", NodeErrorKind::Denied),
    ("ERR invalid password", NodeErrorKind::Denied),
    ("ERR DB index", NodeErrorKind::Unsupported),
    ("ERR unknown command", NodeErrorKind::Unsupported),
    ("NOPROTO", NodeErrorKind::Unsupported),
    ("MOVED", NodeErrorKind::Moved),
    // A slot is being migrated, and the name is not here now.
    ("ASK", NodeErrorKind::NotReady),
    ("TRYAGAIN", NodeErrorKind::NotReady),
    ("CLUSTERDOWN", NodeErrorKind::NotReady),
    ("CROSSSLOT", NodeErrorKind::Unsupported),
];

/// What an error reply means; `None` if it is not one that guarantees that nothing changed.
pub(super) fn server_error(text: &str) -> Option<NodeErrorKind> {
    // Before 7.0 the reason comes behind the script's name: "ERR Error running script (call to f_...): @user_script:
    // 2: WRONGTYPE Operation against ...", and ACL errors have lost their code: "... The user executing the script
    // can't run this command or subcommand".
    if text.contains("executing the script can't") || text.contains("user executing the script can") {
        return Some(NodeErrorKind::Denied);
    }
    // The marker lies in a slot of another member.
    if text.contains("attempted to access a non local key in a cluster node") {
        return Some(NodeErrorKind::Moved);
    }
    let inner = text.strip_prefix("ERR Error running script").and_then(|rest| {
        let (_, rest) = rest.split_once("@user_script: ")?;
        let (_, reason) = rest.split_once(": ")?;
        Some(reason.trim_start_matches('-'))
    });
    // In a batch what is in front of the second is gone.
    let bare = text.strip_prefix("@user_script: ").and_then(|rest| rest.split_once(": "));
    let reason = inner.or(bare.map(|(_, reason)| reason.trim_start_matches('-'))).unwrap_or(text);
    REPLIES.iter().find(|(lead, _)| reason.starts_with(lead)).map(|&(_, kind)| kind)
}

const MEMBER: &str = "; this server is a member of a Redis Cluster: give several of its addresses \
    (RedisConfig::cluster, addrs in [lock.redis])";

/// An error reply to a command that changes nothing that matters.
pub(super) fn refused_command(name: &str, text: &str) -> Failure {
    let kind = server_error(text).unwrap_or(NodeErrorKind::Protocol);
    let hint = if kind == NodeErrorKind::Moved { MEMBER } else { "" };
    Failure::new(kind, format!("the server refused {name}: {text}{hint}"))
}

/// An error reply to one of our scripts. `rights`: the rule of what the user must be allowed to do; in a script the server does
/// not say which of them is missing.
pub(super) fn refused_by_server(
    node: &Arc<str>,
    operation: &str,
    text: &str,
    rights: impl FnOnce() -> String,
) -> NodeError {
    let kind = server_error(text);
    let hint = match kind {
        Some(NodeErrorKind::WrongType) => {
            "; the key holds something that is no lock of ours, choose another prefix or name".to_owned()
        }
        Some(NodeErrorKind::Denied) => format!("; the ACL user needs {}", rights()),
        Some(NodeErrorKind::ReadOnly) => "; the node takes no writes now".to_owned(),
        Some(NodeErrorKind::Moved) => MEMBER.to_owned(),
        Some(NodeErrorKind::Unsupported) => "; connect to a master that owns all slots".to_owned(),
        _ => String::new(),
    };
    let detail = format!("{operation} was refused: {text}{hint}");
    match kind {
        Some(kind) => NodeError::without_effect(node, kind, detail),
        None => NodeError::with_unknown_effect(node, NodeErrorKind::Protocol, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Effect;

    fn io(text: &str, tls: bool) -> Failure {
        Failure::of_attempt(&Error::new(ErrorKind::IO, text.to_owned()), tls, "node1")
    }

    #[test]
    fn io_errors_say_what_happened_in_plain_words() {
        let refused =
            io(r#"Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }"#, false);
        assert_eq!(refused, Failure::new(NodeErrorKind::Unreachable, "connection refused"));
        let lookup = r#"Custom { kind: Uncategorized, error: "failed to lookup address information: Name or service not known" }"#;
        let unknown = io(lookup, false);
        assert_eq!(unknown.kind, NodeErrorKind::Unreachable);
        assert!(
            unknown.detail.contains("node1") && unknown.detail.contains("not known"),
            "{}",
            unknown.detail
        );
        let handshake = "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }";
        let untrusted = io(handshake, true);
        assert_eq!(untrusted.kind, NodeErrorKind::Tls);
        assert!(
            untrusted.detail.contains("TLS failed: InvalidCertificate(UnknownIssuer);"),
            "{}",
            untrusted.detail
        );
        let reset =
            io(r#"Os { code: 104, kind: ConnectionReset, message: "Connection reset by peer" }"#, false);
        assert_eq!(reset.kind, NodeErrorKind::Unreachable);
        assert!(reset.detail.contains("(connection reset by peer); is it"), "{}", reset.detail);
        assert_eq!(io("é", false).detail, "é");
    }

    #[test]
    fn replies_that_change_nothing_are_told_from_those_that_may() {
        for (text, kind) in [
            ("WRONGTYPE Operation against a key holding the wrong kind of value", NodeErrorKind::WrongType),
            (
                "ERR Error running script (call to f_0a): @user_script: 2: WRONGTYPE x",
                NodeErrorKind::WrongType,
            ),
            (
                "ERR Error running script (call to f_0a): @user_script: 2: -OOM command not allowed",
                NodeErrorKind::ReadOnly,
            ),
            ("@user_script: 2: -OOM command not allowed", NodeErrorKind::ReadOnly),
            ("OOM command not allowed when used memory > 'maxmemory'. script: 0a", NodeErrorKind::ReadOnly),
            ("READONLY You can't write against a read only replica.", NodeErrorKind::ReadOnly),
            ("NOPERM this user has no permissions to run the 'evalsha' command", NodeErrorKind::Denied),
            ("LOADING Redis is loading the dataset in memory", NodeErrorKind::NotReady),
            ("BUSY Redis is busy running a script.", NodeErrorKind::NotReady),
            ("MOVED 3999 127.0.0.1:6381", NodeErrorKind::Moved),
            (
                "ERR Script attempted to access a non local key in a cluster node script: 0a",
                NodeErrorKind::Moved,
            ),
            ("ASK 3999 127.0.0.1:6381", NodeErrorKind::NotReady),
            ("CLUSTERDOWN Hash slot not served", NodeErrorKind::NotReady),
        ] {
            assert_eq!(server_error(text), Some(kind), "{text}");
        }
        for text in ["", "ERR", "ERR proxy: upstream failed", "BU", "ERR Error running script (call to f_0a)"]
        {
            assert_eq!(server_error(text), None, "{text}");
            assert_eq!(refused_by_server(&"n".into(), "acquire", text, String::new).effect, Effect::Unknown);
        }
    }
}
