//! What happened in a run: who wanted, held and lost which lock, and what was done to the nodes, the ways to them and
//! the clients.
//!
//! All times are of the machine's suspend-aware clock ([`redlock::Instant`]), which all processes of one machine share.

mod event;
mod format;
mod journal;

pub use event::{ClientEvent, Event, FaultId, HoldId, RunEvent, Target, Write};
pub use journal::{HistoryFile, Journal, Recorder, Sink};

/// The election that clients stand for besides: a term is a hold of this name.
pub const ELECTION: &str = "chaos-leader";

/// The history of one run, with what it takes to repeat it.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// What was run.
    pub run: Run,
    /// What happened, in the order of its times.
    pub events: Vec<Event>,
}

/// What was run, and how.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Run {
    /// The command that repeats it.
    pub command: String,
    /// The seed of everything random in it.
    pub seed: u64,
    /// Which kind of fleet.
    pub fleet: String,
    /// The server's program and version, as far as known.
    pub server: String,
    /// What the nodes are called, in their order.
    pub nodes: Vec<String>,
    /// Whether a node that was down has forgotten its locks, or counts as one that has, and grants nothing new for a while.
    pub restarts_forget: bool,
    /// How many clients there were.
    pub clients: usize,
    /// The kinds of faults that could occur.
    pub faults: Vec<String>,
    /// The TTL of the locks, in milliseconds.
    pub ttl_millis: u64,
    /// The longest TTL, which quarantines last, in milliseconds.
    pub max_ttl_millis: u64,
    /// Safeguards that were switched off.
    pub without: Vec<String>,
}
