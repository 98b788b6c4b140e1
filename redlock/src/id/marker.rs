//! What a node keeps to show that it has forgotten nothing (design, section 4, "Restart guard").

use std::fmt;
use std::time::Duration;

/// One unbroken memory of a node. While it stays the same, the node has forgotten no lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation(u64);

impl Incarnation {
    /// Wraps a number; a new memory gets a random one.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What all clients of one set of nodes must agree on. A node keeps it in its marker; a client with another one is configured
/// wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charter {
    /// Tells sets of nodes apart. Drawn at random by the first client.
    pub fleet: u64,
    /// The number of the node set (`nodeSet`): counts its changes.
    pub epoch: u64,
    /// How many nodes there are.
    pub nodes: u32,
    /// How many must grant.
    pub quorum: u32,
    /// The longest TTL (`maxExpiration`), in whole milliseconds, rounded up: so long may somebody hold what a node has forgotten.
    pub max_ttl: Duration,
    /// How far the change to this node set has come.
    pub stage: Stage,
}

impl Charter {
    /// A charter with these fields, of a set that is settled.
    pub fn new(fleet: u64, epoch: u64, nodes: u32, quorum: u32, max_ttl: Duration) -> Self {
        Self { fleet, epoch, nodes, quorum, max_ttl, stage: Stage::Settled }
    }

    /// The same at another stage.
    #[must_use]
    pub fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// Whether a node under it serves clients that are configured with the node set of this number: its own, and the one before it
    /// as long as it is open to that.
    pub fn serves(&self, node_set: u64) -> bool {
        let is_next = matches!(self.stage, Stage::Open { .. }) && node_set.checked_add(1) == Some(self.epoch);
        self.epoch == node_set || is_next
    }
}

/// How far the change to a node set has come: [`change_nodes`](crate::LocksBuilder::change_nodes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Clients of the set before, one number lower, may go on beside those of this one.
    Open {
        /// How many nodes the set before has.
        nodes: u32,
        /// How many of them must grant.
        quorum: u32,
    },
    /// Clients of the set before are refused; what they were granted may not have ended yet.
    Closed,
    /// Nothing that was granted to them is left: the set may be changed again.
    Settled,
}

/// What a node keeps about its own memory, in that memory: it goes when the memory goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Marker {
    /// Which memory it is.
    pub incarnation: Incarnation,
    /// What its clients agree on.
    pub charter: Charter,
    /// Nothing new is granted before this point of the node's own time, in microseconds.
    pub until: u64,
    /// No fencing counter starts below this. `None`: the quarantine has not been ended yet, and nothing new is granted.
    pub floor: Option<u64>,
}

impl Marker {
    /// A marker with these fields.
    pub fn new(incarnation: Incarnation, charter: Charter, until: u64, floor: Option<u64>) -> Self {
        Self { incarnation, charter, until, floor }
    }
}

/// What a client knows of a node's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// The node keeps no marker: nothing shows whether it has forgotten something.
    Unguarded,
    /// Not known: there is no connection.
    Unknown,
    /// It has no marker of its present memory, and grants nothing. The charter is that of an earlier memory, where one was found.
    Unmarked(Option<Charter>),
    /// It has one.
    Marked(Marker),
}
