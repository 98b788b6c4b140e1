//! A thing that happened.

use serde::{Deserialize, Serialize};

/// A thing that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A client did or noticed something.
    Client {
        /// Nanoseconds of the machine's suspend-aware clock.
        at: u64,
        /// Its number, from 0.
        client: usize,
        /// What.
        what: ClientEvent,
    },
    /// The run did something.
    Run {
        /// Nanoseconds of the machine's suspend-aware clock.
        at: u64,
        /// What.
        what: RunEvent,
    },
}

impl Event {
    /// When it happened, in nanoseconds of the machine's suspend-aware clock.
    pub const fn at(&self) -> u64 {
        match self {
            Self::Client { at, .. } | Self::Run { at, .. } => *at,
        }
    }
}

/// One acquisition of a client: numbers begin at 0 for each process.
pub type HoldId = u64;

/// One fault of a run.
pub type FaultId = u64;

/// What a client did or noticed. A client that was killed and started again is the same client with another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientEvent {
    /// Its process began to work.
    Started {
        /// The process.
        pid: u32,
    },
    /// It asked for a lock.
    Wants {
        /// This acquisition.
        hold: HoldId,
        /// Which lock.
        name: String,
    },
    /// It did not get what it wanted.
    GaveUp {
        /// Which acquisition.
        hold: HoldId,
        /// The error, or `dropped` if it lost patience.
        why: String,
    },
    /// It has the lock: at the event's time for certain.
    Acquired {
        /// Which acquisition.
        hold: HoldId,
        /// The fencing token.
        token: Option<u64>,
        /// Until when the library promises it, in the clock of `at`.
        valid_until: u64,
    },
    /// It still has it: at the event's time for certain.
    Holds {
        /// Which acquisition.
        hold: HoldId,
        /// Until when the library promises it now.
        valid_until: u64,
    },
    /// `lost()` resolved.
    Lost {
        /// Which acquisition.
        hold: HoldId,
        /// The library's reason.
        why: String,
        /// The end of the validity, as the library has it at the end.
        valid_until: u64,
    },
    /// The work of a leader goes on at the event's time, and its term is over, as far as it can see.
    Works {
        /// Which term.
        hold: HoldId,
    },
    /// It begins to let go: from here on it holds nothing.
    Releases {
        /// Which acquisition.
        hold: HoldId,
    },
    /// It has let go.
    Released {
        /// Which acquisition.
        hold: HoldId,
        /// What the release came to.
        outcome: String,
    },
    /// It added an element to the shared sets: read, sleep, write.
    Added {
        /// Under which acquisition.
        hold: HoldId,
        /// The element, unique in the run.
        element: String,
        /// How the write to the set that checks fencing tokens ended.
        fenced: Write,
        /// How the write to the set that checks nothing ended.
        unfenced: Write,
    },
    /// Its threads did not get the CPU from then to the event's time.
    Starved {
        /// From when.
        from: u64,
    },
    /// Its process ends well: nothing is held any more.
    Ended,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// It was done.
    Done,
    /// It was refused for its fencing token.
    Refused,
    /// It was not tried.
    NotTried,
}

/// To what something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A node, by its number from 0.
    Node(usize),
    /// A client, by its number from 0.
    Client(usize),
    /// The way between a client and a node.
    Way {
        /// The client.
        client: usize,
        /// The node.
        node: usize,
    },
}

/// What the run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// A fault began.
    Fault {
        /// This one.
        id: FaultId,
        /// Its kind, as `--faults` names it.
        kind: String,
        /// What it struck.
        target: Target,
        /// For people: `clock 3 s forward`.
        detail: String,
    },
    /// What a fault did has been undone; one without this event lasted a moment.
    Healed {
        /// Which one.
        id: FaultId,
    },
    /// A fault could not be done, or undone.
    Failed {
        /// Which one.
        id: FaultId,
        /// Why.
        why: String,
    },
    /// From now on there are no faults any more: everybody must get every lock.
    Calm,
    /// The elements that the shared sets have in the end.
    Sets {
        /// Of the set that checks fencing tokens.
        fenced: Vec<String>,
        /// Of the set that checks nothing.
        unfenced: Vec<String>,
    },
    /// A key of a lock that was still on a node when all clients had ended.
    LeftKey {
        /// The node.
        node: usize,
        /// The key.
        key: String,
    },
}
