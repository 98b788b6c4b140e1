//! What a kind of node can do, so that those who choose nodes and those who check them need not guess.

use std::time::Duration;

/// What a node can do. Fixed for the life of a node; known without asking the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Abilities {
    /// Whether grants come with a fencing counter. Without it the node can be used only where fencing is off.
    pub fencing: bool,
    /// A TTL is kept in multiples of this, rounded up; zero: as asked for.
    pub ttl_granularity: Duration,
    /// The longest TTL; longer ones are refused with [`NodeErrorKind::Unsupported`](super::NodeErrorKind::Unsupported).
    /// `None`: as long as a [`Ttl`](crate::Ttl) may be.
    pub longest_ttl: Option<Duration>,
    /// Whether [`Node::watch`](super::Node::watch) tells when a name becomes free.
    pub notification: bool,
    /// What becomes of locks when the store's processes are restarted.
    pub durability: Durability,
    /// What becomes of a request that the store runs after its deadline.
    pub late_requests: LateRequests,
    /// How many round trips, or writes to a disk, an acquisition takes one after the other in the usual case, at least 1: as much longer is
    /// the time by default that a node has to answer ([`LocksBuilder::node_timeout`](crate::LocksBuilder::node_timeout)).
    pub steps: u32,
    /// Whether the clock by which TTLs end can be set while the store runs. Such nodes are watched
    /// ([`LocksBuilder::restart_guard`](crate::LocksBuilder::restart_guard)), and must tell the time: [`Node::clock`](super::Node::clock).
    pub settable_clock: bool,
    /// Whether looks show whose a name is and what its owner says of itself
    /// ([`AcquireRequest::description`](super::AcquireRequest::description)); requests with a fence are enough to keep it.
    pub descriptions: bool,
    /// Whether a request that was polled once needs no further poll before its answer, or its failure, is there, and wakes its task then.
    /// Who waits for several such nodes need not be woken at each answer; a node that says so wrongly is looked at late.
    pub wakes_when_answered: bool,
}

/// What becomes of locks when the store's processes are restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// They are forgotten.
    None,
    /// That depends on how the store is set up.
    Configurable,
    /// They are kept: a grant is on disk, or on a majority of the store's members, before it is answered.
    Durable,
}

/// What becomes of a request that the store runs after its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LateRequests {
    /// The store refuses it: [`RefusalReason::Stale`](super::RefusalReason::Stale).
    Refused,
    /// It may run. What it grants ends no later than if it had run in time, give or take `ttl_granularity`: its end was fixed when it
    /// was sent, or it goes with a lease or session that began before.
    EndsInTime,
}

impl Default for Abilities {
    /// Those of a node that says nothing: counters, exact TTLs of any length, no notification, no descriptions, a clock
    /// that can be set.
    fn default() -> Self {
        Self {
            fencing: true,
            ttl_granularity: Duration::ZERO,
            longest_ttl: None,
            notification: false,
            durability: Durability::Configurable,
            late_requests: LateRequests::Refused,
            steps: 1,
            settable_clock: true,
            descriptions: false,
            wakes_when_answered: false,
        }
    }
}
