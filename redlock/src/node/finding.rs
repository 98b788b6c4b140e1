//! What an examination of a node, or of all nodes together, can find: each with its severity, and what to do about it.

mod words;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::NodeError;

/// How bad a finding is. Ordered: the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It was looked at, and is as it should be.
    Good,
    /// Worth knowing; nothing is wrong.
    Note,
    /// It could not be read: neither good nor bad.
    Unknown,
    /// Locks work, but a fault or a limit that is near will hurt.
    Warning,
    /// Locks can get lost, or this cannot be a node.
    Error,
}

impl Severity {
    /// All of them, the worst first.
    pub(crate) const WORST_FIRST: [Self; 5] =
        [Self::Error, Self::Warning, Self::Unknown, Self::Note, Self::Good];
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that was found, and where. Its `Display` is one line with the advice.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Finding {
    /// The node's address, without credentials; `None`: it concerns the nodes together.
    pub node: Option<Arc<str>>,
    /// What was found.
    pub kind: FindingKind,
}

impl Finding {
    /// A finding about one node, or with `None` about all of them together.
    pub fn new(node: Option<Arc<str>>, kind: FindingKind) -> Self {
        Self { node, kind }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }

    /// What to do about it; `None` where there is nothing to do.
    pub fn advice(&self) -> Option<String> {
        self.kind.advice()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(f, "{node}: ")?;
        }
        write!(f, "{}", self.kind)?;
        match self.advice() {
            Some(advice) => write!(f, " -> {advice}"),
            None => Ok(()),
        }
    }
}

/// The kinds of findings. The `Display` says what was found, in words that go on behind a node's address.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FindingKind {
    /// Good: it lives in this process, and has no settings.
    InProcess,
    /// Good: it is a master, and no part of a Cluster.
    IndependentMaster,
    /// Good: its version is one that this library supports.
    Version {
        /// The version, as the node states it.
        version: String,
    },
    /// Good: it never evicts keys.
    NeverEvicts,
    /// Good: every write is on disk before it is answered.
    Durable,
    /// Good: this client may do all that it needs.
    Permitted,
    /// Good: the connection is encrypted.
    Encrypted,
    /// Good: its clock agrees with the others'.
    ClockAgrees {
        /// How far it is from their median.
        off: Duration,
    },
    /// Good: it answers fast enough.
    Prompt {
        /// The median of a few round trips.
        median: Duration,
    },

    /// Note: it closes connections on which nothing was asked for a while.
    ClosesIdle {
        /// After how long.
        after: Duration,
    },
    /// Note: several nodes run on this machine.
    SameHostLocal {
        /// Their addresses.
        nodes: Vec<Arc<str>>,
    },
    /// Note: nodes have different versions.
    VersionsDiffer {
        /// Each node's address and version.
        versions: Vec<(Arc<str>, String)>,
    },
    /// Note: nodes have different policies for a full memory.
    PoliciesDiffer {
        /// Each node's address and `maxmemory-policy`.
        policies: Vec<(Arc<str>, String)>,
    },

    /// Unknown: nodes of this kind do not say how they are set up.
    NotExamined,
    /// Unknown: it does not let us read this.
    Unreadable {
        /// What is not known.
        what: Vec<String>,
        /// In the node's words.
        reason: String,
    },

    /// Warning: it does not answer now.
    Unreachable {
        /// Why.
        error: NodeError,
    },
    /// Error: it cannot be a node until somebody changes a setting, here or there.
    Unusable {
        /// Why.
        error: NodeError,
    },
    /// Warning: replicas follow it.
    HasReplicas {
        /// How many.
        count: u64,
    },
    /// Error: it is part of a Cluster, which fails over and moves keys.
    ClusterMember,
    /// It evicts keys when its memory is full. Error: a limit is set. Warning: there is none yet.
    Evicts {
        /// Its `maxmemory-policy`.
        policy: String,
        /// Its `maxmemory` in bytes; 0: no limit.
        maxmemory: u64,
    },
    /// Warning: its memory is nearly full, or full.
    MemoryNearlyFull {
        /// Bytes in use.
        used: u64,
        /// Its `maxmemory` in bytes.
        maxmemory: u64,
    },
    /// Warning: a restart loses locks.
    ForgetsOnRestart {
        /// What it keeps.
        persistence: Persistence,
    },
    /// Warning: it cannot write to its disk, and so takes no locks.
    DiskFails {
        /// Which file: `append only file` or `snapshot`.
        file: &'static str,
    },
    /// Warning: it is reading its data back.
    Loading,
    /// Warning: it hardly takes any more connections.
    ClientsNearlyFull {
        /// Connections that are open.
        connected: u64,
        /// How many it takes.
        limit: u64,
    },
    /// Error: this client may not do what it needs.
    NotPermitted {
        /// As whom it has logged in.
        user: String,
        /// What is missing.
        missing: Vec<String>,
    },
    /// Warning: everything goes over the network in plain text.
    PlainText,
    /// Warning: whoever reaches it may do everything.
    NoPassword,
    /// Warning: its clock is further from the others' than the allowance for drift.
    ClockOff {
        /// How far it is from their median.
        off: Duration,
        /// Whether it is ahead; otherwise it is behind.
        ahead: bool,
        /// The allowance for drift of the default TTL.
        allowance: Duration,
    },
    /// Warning: its round trips take a large share of the time that a node has to answer.
    Slow {
        /// The median of a few round trips.
        median: Duration,
        /// The node timeout.
        timeout: Duration,
    },

    /// Error: two addresses lead to one server.
    SameServer {
        /// One address.
        first: Arc<str>,
        /// The other.
        second: Arc<str>,
    },
    /// Error: fewer nodes than a quorum can be used.
    NoQuorum {
        /// How many can.
        usable: usize,
        /// How many must.
        needed: usize,
    },
    /// Warning: there is one server.
    SingleNode,
    /// Warning: an even number of nodes tolerates no more failures than one node less.
    EvenNodes {
        /// How many.
        nodes: usize,
    },
    /// Warning: nodes run on one machine.
    SameHost {
        /// The machine, as the configuration calls it.
        host: String,
        /// Their addresses.
        nodes: Vec<Arc<str>>,
    },
    /// Something that only this kind of node knows.
    Other {
        /// How bad it is.
        severity: Severity,
        /// What was found; no secret may be in it.
        what: String,
        /// What to do about it.
        advice: Option<String>,
    },
}

/// What a node keeps over a restart, where that is not everything.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Persistence {
    /// Nothing.
    Nothing,
    /// What was in the last snapshot.
    Snapshots,
    /// It has no append only file; whether it makes snapshots could not be read.
    NoAppendOnlyFile,
    /// All but the last writes.
    AppendOnly {
        /// Its `appendfsync`.
        fsync: String,
    },
}

impl FindingKind {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::InProcess
            | Self::IndependentMaster
            | Self::Version { .. }
            | Self::NeverEvicts
            | Self::Durable
            | Self::Permitted
            | Self::Encrypted
            | Self::ClockAgrees { .. }
            | Self::Prompt { .. } => Severity::Good,
            Self::ClosesIdle { .. }
            | Self::SameHostLocal { .. }
            | Self::VersionsDiffer { .. }
            | Self::PoliciesDiffer { .. } => Severity::Note,
            Self::NotExamined | Self::Unreadable { .. } => Severity::Unknown,
            // Without a limit the memory is never full.
            Self::Evicts { maxmemory: 0, .. } => Severity::Warning,
            Self::Unreachable { .. }
            | Self::HasReplicas { .. }
            | Self::MemoryNearlyFull { .. }
            | Self::ForgetsOnRestart { .. }
            | Self::DiskFails { .. }
            | Self::Loading
            | Self::ClientsNearlyFull { .. }
            | Self::PlainText
            | Self::NoPassword
            | Self::ClockOff { .. }
            | Self::Slow { .. }
            | Self::SingleNode
            | Self::EvenNodes { .. }
            | Self::SameHost { .. } => Severity::Warning,
            Self::Unusable { .. }
            | Self::ClusterMember
            | Self::Evicts { .. }
            | Self::NotPermitted { .. }
            | Self::SameServer { .. }
            | Self::NoQuorum { .. } => Severity::Error,
            Self::Other { severity, .. } => *severity,
        }
    }

    /// What to do about it; `None` where there is nothing to do.
    pub fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::Other { advice, .. } => return advice.clone(),
            Self::VersionsDiffer { .. } => "no harm; upgrade one node at a time",
            Self::PoliciesDiffer { .. } => "set all of them to noeviction",
            Self::NotExamined => "check by hand that it neither forgets nor evicts locks",
            Self::Unreadable { .. } => "allow this client to read it, or check it by hand",
            Self::Unreachable { .. } => "start it, or see why it cannot be reached",
            // The error says what was expected.
            Self::Unusable { .. } => return None,
            Self::HasReplicas { .. } => {
                "take the replicas away, and have nothing promote them: give independent masters"
            }
            Self::ClusterMember => "give a server with cluster-enabled no",
            Self::Evicts { .. } => "set maxmemory-policy to noeviction there",
            Self::MemoryNearlyFull { .. } => "raise maxmemory, or move other data elsewhere",
            Self::ForgetsOnRestart { .. } => {
                "the restart guard covers it; without that, appendfsync always, or keep it away for maxExpiration after one"
            }
            Self::DiskFails { .. } => "make room on its disk; its log has the reason",
            Self::Loading => "wait until it has loaded",
            Self::ClientsNearlyFull { .. } => "raise maxclients, or see who opens so many connections",
            Self::NotPermitted { .. } => "allow it with ACL SETUSER",
            Self::PlainText => "use TLS (rediss://), or a network that nobody else can read",
            Self::NoPassword => "set requirepass or ACL users there, and log in",
            Self::ClockOff { .. } => "have NTP set the clocks of all nodes",
            Self::Slow { .. } => "raise the node timeout with the TTL, or use nodes that are nearer",
            Self::SameServer { .. } => "every node must be a server of its own",
            Self::NoQuorum { .. } => "no lock can be acquired until more of them answer",
            Self::SingleNode => "give three servers to tolerate one failure, five to tolerate two",
            Self::EvenNodes { .. } => "add one node or leave one out",
            Self::SameHost { .. } => "run every node on a machine of its own",
            Self::SameHostLocal { .. } => {
                "good for tests; in production run every node on a machine of its own"
            }
            Self::InProcess
            | Self::IndependentMaster
            | Self::Version { .. }
            | Self::NeverEvicts
            | Self::Durable
            | Self::Permitted
            | Self::Encrypted
            | Self::ClockAgrees { .. }
            | Self::Prompt { .. }
            | Self::ClosesIdle { .. } => return None,
        };
        Some(advice.to_owned())
    }
}
