//! Why a change of the node set could not be made.

use crate::builder::BuildError;
use crate::node::NodeError;

/// A change of the node set could not be made, or not to its end. What was done stays done, holds up nobody and endangers no lock:
/// repeat the call when the cause is gone.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NodeSetError {
    /// The configuration is wrong.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The quorum is larger than a majority.
    #[error(
        "the quorum is set to more than a majority; such a node set can be changed with every client stopped alone"
    )]
    NotMajority,
    /// The node to be added is in the list already, whose number is 0.
    #[error("{node} is one of the nodes already")]
    AlreadyIn {
        /// The node.
        node: String,
    },
    /// The node to be removed is not in the list, whose number is 0.
    #[error("{node} is none of the nodes")]
    NotIn {
        /// The node.
        node: String,
    },
    /// A node keeps no marker, so that it cannot refuse clients of another set.
    #[error(
        "{node} keeps no marker of its memory, so that its clients must all be stopped to change the node set"
    )]
    Unguarded {
        /// The node.
        node: String,
    },
    /// The node to be added is used by others.
    #[error(
        "{node} is in use as a node of another set (fleet {fleet:016x}); give a server of its own, or empty it first"
    )]
    InUse {
        /// The node.
        node: String,
        /// Its fleet.
        fleet: u64,
    },
    /// `maxExpiration` differs from that of the clients.
    #[error("the clients use maxExpiration = {theirs:?}, and this configuration has {ours:?}; give theirs")]
    MaxTtl {
        /// That of the clients.
        theirs: std::time::Duration,
        /// That of this configuration.
        ours: std::time::Duration,
    },
    /// No node has a marker: no client has used them yet.
    #[error(
        "no client has used these nodes yet; change the list of nodes in the configuration, and that is all"
    )]
    Unused,
    /// The nodes have another node set than the change begins or ends with.
    #[error(
        "the nodes have node set {found}, and this change leads from set {from} to set {to}; \
             give the list of nodes and the number (nodeSet) that clients have now"
    )]
    OtherSet {
        /// The number of the set in force.
        found: u64,
        /// The number of the set that the change begins with.
        from: u64,
        /// And of the one that it ends with.
        to: u64,
    },
    /// The change before this one has not been brought to its end.
    #[error("the change to node set {number} has not been finished; finish that first")]
    Unfinished {
        /// The number of the set that it leads to.
        number: u64,
    },
    /// The set was not opened to its new clients yet, so that the old ones cannot be shut out.
    #[error(
        "the new node set is not open, or too many of its nodes have forgotten that it is; open it first"
    )]
    NotOpen,
    /// Too few nodes can be reached.
    #[error("{needed} nodes are needed for this step, and {found} are in order: {}", list(nodes))]
    TooFew {
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
        /// Those that failed, each with its reason.
        nodes: Vec<NodeError>,
    },
}

fn list(nodes: &[NodeError]) -> String {
    match nodes {
        [] => "the others have forgotten, or are in quarantine until a client of their set admits them"
            .to_owned(),
        nodes => nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}
