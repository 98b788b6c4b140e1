//! What the library tells operators: metrics (feature `metrics`), spans and events. `docs/operations.md` lists them all.
//!
//! Names, levels, fields and texts are here and nowhere else, so that they stay uniform. Owner tokens, passwords and URLs
//! never come here; a lock's name is a field of events and spans, and never a label of a metric. An election's name is one.

mod acquisition;
mod elections;
pub(crate) mod events;
mod link;
#[cfg(feature = "metrics")]
mod meters;
#[cfg(feature = "metrics")]
mod names;
#[cfg(not(feature = "metrics"))]
mod no_meters;

#[cfg(feature = "metrics")]
use meters as backing;
#[cfg(not(feature = "metrics"))]
use no_meters as backing;

pub(crate) use acquisition::{Acquisition, Outcome};
pub(crate) use backing::Meters;
pub(crate) use elections::{CampaignFailure, ElectionMeters};
#[cfg(any(feature = "redis", feature = "zookeeper", feature = "etcd", feature = "memcached"))]
pub(crate) use link::Link;

/// The targets of spans and events. They are names of their own, so that a filter survives a change of modules.
mod target {
    /// A node as a server: connection, memory, clock.
    pub(super) const NODE: &str = "redlock::node";
    /// One lock: acquisition, renewal, loss, release.
    pub(super) const LOCK: &str = "redlock::lock";
    /// One election: leaderships and campaigns.
    pub(super) const ELECTION: &str = "redlock::election";
    /// A `Locks` as a whole, and this machine.
    pub(super) const LOCKS: &str = "redlock::locks";
}
