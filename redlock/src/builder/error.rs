//! Why a [`Locks`](crate::Locks) could not be built.

use std::io;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "etcd")]
use crate::backend::etcd::EtcdConfigError;
#[cfg(feature = "file")]
use crate::backend::file::FileConfigError;
#[cfg(feature = "memcached")]
use crate::backend::memcached::MemcachedConfigError;
#[cfg(feature = "redis")]
use crate::backend::redis::RedisConfigError;
#[cfg(feature = "zookeeper")]
use crate::backend::zookeeper::ZooKeeperConfigError;
use crate::error::NodeSets;
use crate::id::InvalidTtl;
use crate::node::{Finding, NodeError};
use crate::preflight;
use crate::quorum::{InvalidDriftFactor, InvalidQuorum, Quorum};

/// A [`Locks`](crate::Locks) could not be built. No connection and no thread is left.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No nodes, too many, or a quorum that is none.
    #[error(transparent)]
    Quorum(#[from] InvalidQuorum),
    /// The TTL, or the longest TTL, is out of range.
    #[error(transparent)]
    Ttl(#[from] InvalidTtl),
    /// The TTL is above the longest one allowed.
    #[error(
        "a TTL of {ttl:?} is above maxExpiration, which is {max:?}; lower it, or raise maxExpiration on every client"
    )]
    TtlAboveMax {
        /// The TTL.
        ttl: Duration,
        /// The longest one allowed.
        max: Duration,
    },
    /// The drift factor is out of range.
    #[error(transparent)]
    DriftFactor(#[from] InvalidDriftFactor),
    /// A pause or timeout that would be a busy loop.
    #[error("{key} = {value:?} is too short; it must be at least 1 ms")]
    TooShort {
        /// Which setting.
        key: &'static str,
        /// Its value.
        value: Duration,
    },
    /// So many hand-overs would keep other processes out.
    #[error("handoff = {handoff} is too large; it must be at most {most}, or 0 for none")]
    HandoffTooLarge {
        /// The setting.
        handoff: u32,
        /// The largest one.
        most: u32,
    },
    /// A node's settings cannot be used.
    #[cfg(feature = "redis")]
    #[error(transparent)]
    Redis(#[from] RedisConfigError),
    /// The settings of a memcached cannot be used.
    #[cfg(feature = "memcached")]
    #[error(transparent)]
    Memcached(#[from] MemcachedConfigError),
    /// The settings of an etcd ensemble cannot be used.
    #[cfg(feature = "etcd")]
    #[error(transparent)]
    Etcd(#[from] EtcdConfigError),
    /// The settings of a ZooKeeper ensemble cannot be used.
    #[cfg(feature = "zookeeper")]
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperConfigError),
    /// The settings of a directory of locks cannot be used.
    #[cfg(feature = "file")]
    #[error(transparent)]
    File(#[from] FileConfigError),
    /// The configuration cannot be used.
    #[cfg(feature = "config")]
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// A URL or the configuration asks for a backend that this program was built without.
    #[error(
        "this program was built without the cargo feature `{feature}` of redlock-quorum, which the configuration needs"
    )]
    NotBuilt {
        /// The feature.
        feature: &'static str,
    },
    /// One address was given twice: its vote must not count twice.
    #[error("{address} is given twice; every node must be a server of its own")]
    DuplicateNode {
        /// The address.
        address: String,
    },
    /// Two addresses lead to one server: its vote must not count twice.
    #[error("{first} and {second} are the same server; every node must be a server of its own")]
    SameServer {
        /// One address.
        first: String,
        /// The other.
        second: String,
    },
    /// These nodes need a changed setting, here or there; waiting does not help.
    #[error("a node cannot be used: {}", list(nodes))]
    Misconfigured {
        /// What each of them said.
        nodes: Vec<NodeError>,
    },
    /// The set of nodes was changed, and this client has the list of before.
    #[error("{}", NodeSets { ours: *ours, theirs: *theirs })]
    NodeSetChanged {
        /// The number of this client's node set.
        ours: u64,
        /// That of the set in force.
        theirs: u64,
    },
    /// Too few nodes can be reached.
    #[error("no quorum: {} of {} nodes must answer, and {} did not: {}", quorum.size(), quorum.nodes(), nodes.len(), list(nodes))]
    NoQuorum {
        /// How many are needed.
        quorum: Quorum,
        /// Those that did not answer, each with its reason.
        nodes: Vec<NodeError>,
    },
    /// [`init`](crate::LocksBuilder::init) did not reach every node, or could not change its marker. Repeat it when they are all there.
    #[error("not every node was initialised; repeat it when all of them can be reached: {}", list(nodes))]
    InitIncomplete {
        /// Those that were not, each with its reason.
        nodes: Vec<NodeError>,
    },
    /// Locks could get lost on these nodes, or, in [strict](crate::LocksBuilder::strict) mode, something is not as it should be.
    #[error("preflight: {}", preflight::OneLine(findings))]
    Preflight {
        /// What was found on which node, and what to do.
        findings: Vec<Finding>,
    },
    /// The library's threads could not be started.
    #[error("the threads for I/O and timers could not be started: {0}")]
    Threads(Arc<io::Error>),
}

fn list(nodes: &[NodeError]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
