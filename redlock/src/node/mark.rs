//! Requests to change a node's marker. Decided by the fleet's guard (`fleet.rs`), carried out by the node.

use std::time::Duration;

use crate::id::{Charter, Incarnation};

/// Asks a node to change its marker.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MarkRequest {
    /// What the node's clients agree on.
    pub charter: Charter,
    /// What is to change.
    pub mark: Mark,
}

/// What is to change about a node's marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// The node's memory is new, or in doubt: it grants nothing new for this long, in its own time, counted from when the marker
    /// is made.
    Quarantine {
        /// The new memory.
        incarnation: Incarnation,
        /// For how long.
        lasts: Duration,
    },
    /// The charter alone changes. Only while the node is in quarantine.
    Join,
    /// The quarantine is over. Refused before its time.
    Admit {
        /// Where fencing counters begin at least.
        floor: u64,
    },
    /// The operator says that nobody holds a lock: the node is admitted at once, whatever its marker says.
    Init {
        /// The memory, where it has none.
        incarnation: Incarnation,
        /// Where fencing counters begin at least.
        floor: u64,
    },
    /// Fencing counters begin there at least, and the charter changes; nothing else.
    Raise {
        /// Where.
        floor: u64,
    },
}

impl MarkRequest {
    /// A request with these fields.
    pub fn new(charter: Charter, mark: Mark) -> Self {
        Self { charter, mark }
    }
}
