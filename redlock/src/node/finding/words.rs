//! What was found, in words that go on behind a node's address.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{FindingKind, Persistence};

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProcess => f.write_str("in this process"),
            Self::IndependentMaster => f.write_str("independent master"),
            Self::Version { version } => write!(f, "version {}", printable(version)),
            Self::NeverEvicts => f.write_str("evicts nothing"),
            Self::Durable => f.write_str("writes to disk before it answers"),
            Self::Permitted => f.write_str("all commands allowed"),
            Self::Encrypted => f.write_str("encrypted"),
            Self::ClockAgrees { off } => {
                write!(f, "clock within {:.1?}", (*off).max(Duration::from_millis(1)))
            }
            Self::Prompt { median } => write!(f, "answers in {median:.1?}"),
            Self::ClosesIdle { after } => {
                write!(f, "closes idle connections after {after:?} (timeout); they are opened again")
            }
            Self::SameHostLocal { nodes } => write!(f, "{} run on this very machine", list(nodes)),
            Self::VersionsDiffer { versions } => write!(f, "versions differ: {}", pairs(versions)),
            Self::PoliciesDiffer { policies } => write!(f, "maxmemory-policy differs: {}", pairs(policies)),
            Self::NotExamined => f.write_str("does not say how it is set up"),
            Self::Unreadable { what, reason } => {
                write!(f, "{} could not be read: {}", what.join(", "), printable(reason))
            }
            Self::Unreachable { error } | Self::Unusable { error } => f.write_str(&printable(&error.detail)),
            Self::HasReplicas { count: 1 } => {
                f.write_str("has a replica, which does not know the last locks when it is promoted")
            }
            Self::HasReplicas { count } => {
                write!(f, "has {count} replicas, which do not know the last locks when they are promoted")
            }
            Self::ClusterMember => {
                f.write_str("is part of a Cluster (cluster-enabled yes), which fails over and moves keys")
            }
            Self::Evicts { policy, maxmemory: 0 } => write!(
                f,
                "would evict locks if it had a memory limit (maxmemory-policy {}, maxmemory 0)",
                printable(policy)
            ),
            Self::Evicts { policy, maxmemory } => write!(
                f,
                "evicts locks when its memory is full (maxmemory-policy {}, maxmemory {})",
                printable(policy),
                Bytes(*maxmemory)
            ),
            Self::MemoryNearlyFull { used, maxmemory } => {
                write!(
                    f,
                    "uses {} of {} (maxmemory); full, it takes no locks or evicts some",
                    Bytes(*used),
                    Bytes(*maxmemory)
                )
            }
            Self::ForgetsOnRestart { persistence } => {
                write!(f, "loses locks when it restarts: {persistence}")
            }
            Self::DiskFails { file } => {
                write!(f, "could not write its {file}, and takes no locks until it can")
            }
            Self::Loading => f.write_str("is still loading its data"),
            Self::ClientsNearlyFull { connected, limit } => {
                write!(f, "has {connected} of {limit} connections (maxclients); full, it turns clients away")
            }
            Self::NotPermitted { user, missing } => {
                write!(f, "does not allow user {}: {}", printable(user), missing.join(", "))
            }
            Self::PlainText => {
                f.write_str("is reached in plain text: passwords and tokens can be read on the way")
            }
            Self::NoPassword => f.write_str("lets everybody in (its default user has no password)"),
            Self::ClockOff { off, ahead, allowance } => {
                let side = if *ahead { "ahead of" } else { "behind" };
                write!(
                    f,
                    "its clock is {off:.1?} {side} the nodes' median; {allowance:.1?} are allowed for drift"
                )
            }
            Self::Slow { median, timeout } => {
                write!(f, "takes {median:.1?} for a round trip, of {timeout:?} that a node has to answer")
            }
            Self::SameServer { first, second } => write!(f, "{first} and {second} are the same server"),
            Self::NoQuorum { usable, needed } => {
                write!(f, "no quorum: {needed} nodes must grant, and {usable} can be used")
            }
            Self::SingleNode => f.write_str("there is one server: when it fails, no lock can be had"),
            Self::EvenNodes { nodes } => {
                write!(f, "{nodes} nodes tolerate no more failures than {}", nodes.saturating_sub(1))
            }
            Self::SameHost { host, nodes } => {
                write!(f, "{} run on one machine ({}), and fail together", list(nodes), printable(host))
            }
            Self::Other { what, .. } => f.write_str(&printable(what)),
        }
    }
}

impl fmt::Display for Persistence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("it keeps nothing on disk"),
            Self::Snapshots => f.write_str("it keeps snapshots alone (save), which are minutes old"),
            Self::NoAppendOnlyFile => f.write_str("it has no append only file (appendonly no)"),
            Self::AppendOnly { fsync } => {
                write!(f, "it answers before a write is on disk (appendfsync {})", printable(fsync))
            }
        }
    }
}

/// A number of bytes as people read it.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match UNITS.iter().find(|(_, size)| self.0 >= *size) {
            #[allow(clippy::cast_precision_loss, reason = "one digit is shown")]
            Some((unit, size)) => write!(f, "{:.1} {unit}", self.0 as f64 / *size as f64),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// A text of the node's own, or of a configuration, that cannot steer a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

fn list(nodes: &[Arc<str>]) -> String {
    match nodes.split_last() {
        Some((last, [])) => last.to_string(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn pairs(pairs: &[(Arc<str>, String)]) -> String {
    let pair = |(node, value): &(Arc<str>, String)| format!("{node} has {}", printable(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join(", ")
}
