//! How a node counts its fencing counters: one rule for every store (design, section 4, "Fencing tokens over a quorum").

#[cfg(any(
    feature = "memory",
    feature = "file",
    feature = "zookeeper",
    feature = "etcd",
    feature = "memcached"
))]
mod counting;

use std::time::Duration;

#[cfg(feature = "memory")]
pub(crate) use counting::LARGEST_LEAD;
#[cfg(any(
    feature = "memory",
    feature = "file",
    feature = "zookeeper",
    feature = "etcd",
    feature = "memcached"
))]
pub(crate) use counting::{keep_for, next_counter};

/// What an acquire asks of a name's fencing counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fence {
    /// The median of the nodes' times, in microseconds, as the client knows it; 0 if it knows none. Nodes that follow the same
    /// hint come to the same count, which saves a round.
    pub hint: u64,
    /// How many tokens to take, at least 1; the counter then stands at the last of them.
    pub span: u64,
    /// For how long a counter is kept beyond the TTL that was asked for, and beyond the time at which no hint can fall
    /// behind it: its lead over the node's time, and a second.
    pub retention: Duration,
}

/// Where a name's fencing counter is to stand at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Raise {
    /// The counter's least value.
    pub to: u64,
    /// As [`Fence::retention`].
    pub retention: Duration,
}

impl Fence {
    /// A fence with these fields.
    pub fn new(hint: u64, span: u64, retention: Duration) -> Self {
        Self { hint, span, retention }
    }
}

impl Raise {
    /// A raise with these fields.
    pub fn new(to: u64, retention: Duration) -> Self {
        Self { to, retention }
    }
}
