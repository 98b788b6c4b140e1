//! What can go wrong with an operation, node by node.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::env::RandomError;
use crate::id::{InvalidName, InvalidTtl, LockName};
use crate::look::Holding;
use crate::node::{NodeError, Refusal};

/// That a client has the nodes of a former node set, and what is to be done.
pub(crate) struct NodeSets {
    pub(crate) ours: u64,
    pub(crate) theirs: u64,
}

impl fmt::Display for NodeSets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ours, theirs } = self;
        write!(
            f,
            "the node set was changed: this client has set {ours}, and its nodes have set {theirs}; \
             restart it with the list of nodes of set {theirs} and nodeSet = {theirs} (`redlock nodes status`)"
        )
    }
}

/// What one node said in a round.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeReport {
    /// The node's address, without credentials.
    pub node: Arc<str>,
    /// Its vote.
    pub vote: NodeVote,
}

/// A node's vote, with its reason.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeVote {
    /// It granted.
    Granted,
    /// It refused.
    Refused(Refusal),
    /// It failed, or did not answer in time.
    Failed(NodeError),
    /// The round was decided before it answered.
    Pending,
}

impl fmt::Display for NodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.vote {
            NodeVote::Granted => write!(f, "{}: granted", self.node),
            NodeVote::Refused(refusal) => {
                write!(f, "{}: {}", self.node, refusal.reason)?;
                match refusal.remaining {
                    Some(left) => write!(f, " for another {left:.1?}"),
                    None => Ok(()),
                }
            }
            // The error names the node itself.
            NodeVote::Failed(error) => write!(f, "{error}"),
            NodeVote::Pending => write!(f, "{}: no answer yet", self.node),
        }
    }
}

/// The votes of all nodes, one after the other, as people read them.
pub(crate) struct Nodes<'a>(pub(crate) &'a [NodeReport]);

impl fmt::Display for Nodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("other waiters of this process were first all the time");
        }
        for (index, node) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{node}")?;
        }
        Ok(())
    }
}

/// By whom it is held, as far as that is known.
struct By<'a>(Option<&'a Holding>);

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(holding) => holding.fmt(f),
            None => f.write_str("it is held by somebody else"),
        }
    }
}

/// A lock was not acquired. Nothing is held, and what the attempts left on nodes is being released.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// The name cannot be used.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// The TTL is out of range.
    #[error(transparent)]
    InvalidTtl(#[from] InvalidTtl),
    /// The TTL is longer than this `Locks` allows.
    #[error(
        "a TTL of {ttl:?} is above maxExpiration, which is {max:?}; lower it, or raise maxExpiration on every client"
    )]
    TtlAboveMax {
        /// What was asked for.
        ttl: Duration,
        /// What is allowed.
        max: Duration,
    },
    /// Somebody else had it until the wait limit or the last retry.
    #[error(
        "{name} was not acquired in {waited:.1?} and {attempts} attempts: {} ({})",
        By(holder.as_deref()),
        Nodes(nodes)
    )]
    Busy {
        /// The lock.
        name: LockName,
        /// How long this call waited.
        waited: Duration,
        /// How many rounds it made.
        attempts: u32,
        /// Who holds it, by a look behind the last attempt; `None` if no quorum of nodes named one holder.
        holder: Option<Box<Holding>>,
        /// What the nodes said in the last round, or in the one before it if the wait limit left them no time to answer; empty
        /// if others of this process were first, or had it, all the time.
        nodes: Vec<NodeReport>,
    },
    /// Too few nodes answered to say whether it is free.
    #[error(
        "{name} was not acquired in {waited:.1?} and {attempts} attempts: no quorum of nodes answers ({})",
        Nodes(nodes)
    )]
    Unavailable {
        /// The lock.
        name: LockName,
        /// How long this call waited.
        waited: Duration,
        /// How many rounds it made.
        attempts: u32,
        /// What the nodes said in the last round, or in the one before it if the wait limit left them no time to answer.
        nodes: Vec<NodeReport>,
    },
    /// The set of nodes was changed, and these locks have the list of before. They get no lock any more; what they held ends with
    /// its validity.
    #[error("{}", NodeSets { ours: *ours, theirs: *theirs })]
    NodeSetChanged {
        /// The number of this client's node set.
        ours: u64,
        /// That of the set in force.
        theirs: u64,
    },
    /// No owner token could be drawn.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// `shutdown` was called, or another default took the place of this one.
    #[error("no lock can be acquired any more: shutdown was called, or another process-wide default was set")]
    ShutDown,
    /// The lock is from [`redlock::lock`](crate::lock), and no process-wide default was set when it was made.
    #[error(
        "no process-wide default is set: call redlock::set_default(locks) when the program starts, before the lock is made"
    )]
    NoDefault,
}

/// Why a lock that was held is held no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LostReason {
    /// Its validity ended before a renewal got through.
    #[error("its validity ended before a quorum renewed it")]
    Expired,
    /// A majority of nodes says that somebody else holds it.
    #[error("a majority of nodes says that somebody else holds it")]
    Superseded,
    /// So many nodes say that its key is gone that no quorum is left.
    #[error("so many nodes have lost its key that no quorum is left")]
    Missing,
    /// A quorum of nodes' clocks has moved against ours by more than the drift that is allowed for: either ours stood still, as
    /// under a paused virtual machine, or they were set. What was valid by our clock need not be by theirs.
    #[error("the clocks of a quorum of nodes have moved against this machine's")]
    ClockMoved,
    /// `renewLimit` was reached, and then its validity ended.
    #[error("its renewLimit was reached")]
    RenewLimit,
}

/// An extension did not count. What was valid before is valid still, until `valid_until`.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExtendError {
    /// The lock is lost, so there is nothing to extend.
    #[error("the lock is lost: {0}")]
    Lost(LostReason),
    /// The guard has been released.
    #[error("the lock has been released")]
    Released,
    /// Too few nodes extended it in time.
    #[error("no quorum of nodes extended {name} in time ({})", Nodes(nodes))]
    Failed {
        /// The lock.
        name: LockName,
        /// What the nodes said.
        nodes: Vec<NodeReport>,
    },
}

/// A release did not find, or could not confirm, what it was to release. Nothing needs to be done: what may still be
/// on a node is released in the background, and expires on its own at the latest.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The lock was not held any more. Whatever was done under it lately may have overlapped with another holder.
    #[error("{name} was not held any more when it was released{}", because(*reason))]
    NotHeld {
        /// The lock.
        name: LockName,
        /// How it was lost, if that was noticed before.
        reason: Option<LostReason>,
    },
    /// Too few nodes answered to say whether it was held to the end.
    #[error(
        "the release of {name} is not confirmed by a quorum yet; it goes on in the background ({})",
        Nodes(nodes)
    )]
    Unconfirmed {
        /// The lock.
        name: LockName,
        /// What the nodes said; granted means released here.
        nodes: Vec<NodeReport>,
    },
}

fn because(reason: Option<LostReason>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// `run` did not bring its closure to an end under the lock.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The lock was not acquired; the closure was not called.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// The lock was lost meanwhile; the closure's future was dropped.
    #[error("the lock was lost while the work ran, and the work was cancelled: {0}")]
    Lost(LostReason),
}
