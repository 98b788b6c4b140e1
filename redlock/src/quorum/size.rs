//! How many nodes there are, and how many must grant.

/// A number of nodes and how many of them must agree: never fewer than a majority.
///
/// Any two quorums of one node set share a node; all of the lock's safety rests on that, so a smaller number cannot be
/// built. An even number of nodes works but tolerates no more failures than one node less (4 nodes: 3 must grant).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quorum {
    nodes: usize,
    size: usize,
}

impl Quorum {
    /// The largest number of nodes.
    pub const MAX_NODES: usize = 63;

    /// A majority of `nodes`: N/2 + 1.
    ///
    /// # Errors
    /// [`InvalidQuorum::NoNodes`] for none, [`InvalidQuorum::TooManyNodes`] above [`Quorum::MAX_NODES`].
    pub fn majority(nodes: usize) -> Result<Self, InvalidQuorum> {
        Self::new(nodes, nodes / 2 + 1)
    }

    /// `size` of `nodes`, where that is at least a majority.
    ///
    /// # Errors
    /// As [`Quorum::majority`]; [`InvalidQuorum::BelowMajority`] or [`InvalidQuorum::AboveNodes`] for a size out of range.
    pub fn new(nodes: usize, size: usize) -> Result<Self, InvalidQuorum> {
        match (nodes, size) {
            (0, _) => Err(InvalidQuorum::NoNodes),
            _ if nodes > Self::MAX_NODES => Err(InvalidQuorum::TooManyNodes { nodes }),
            _ if size <= nodes / 2 => Err(InvalidQuorum::BelowMajority { nodes, size }),
            _ if size > nodes => Err(InvalidQuorum::AboveNodes { nodes, size }),
            _ => Ok(Self { nodes, size }),
        }
    }

    /// The number of nodes.
    pub const fn nodes(self) -> usize {
        self.nodes
    }

    /// How many of them must grant.
    pub const fn size(self) -> usize {
        self.size
    }

    /// Whether so many nodes that will not grant make the quorum impossible.
    pub(crate) const fn blocked_by(self, nodes: usize) -> bool {
        nodes >= self.blocking()
    }

    /// How many nodes that will not grant make the quorum impossible.
    pub(crate) const fn blocking(self) -> usize {
        self.nodes - self.size + 1
    }
}

/// Why a quorum was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidQuorum {
    /// There are no nodes.
    #[error("no nodes are given; a lock needs at least one, and five tolerate two failures")]
    NoNodes,
    /// More nodes than [`Quorum::MAX_NODES`].
    #[error(
        "{nodes} nodes are given; at most {} are allowed (several groups scale further than one large one)",
        Quorum::MAX_NODES
    )]
    TooManyNodes {
        /// How many.
        nodes: usize,
    },
    /// Two such quorums could miss each other, and two clients hold the lock.
    #[error("a quorum of {size} of {nodes} nodes is below a majority; at least {} must grant", nodes / 2 + 1)]
    BelowMajority {
        /// How many nodes there are.
        nodes: usize,
        /// How many were to grant.
        size: usize,
    },
    /// More votes than there are nodes.
    #[error("a quorum of {size} cannot be reached with {nodes} nodes")]
    AboveNodes {
        /// How many nodes there are.
        nodes: usize,
        /// How many were to grant.
        size: usize,
    },
}
