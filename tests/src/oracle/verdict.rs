//! What a history comes to.

use std::time::Duration;

use crate::history::HoldId;

/// What a history comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// What must not be. Empty: the run was good.
    pub violations: Vec<Violation>,
    /// What happened, in numbers.
    pub figures: Figures,
}

impl Verdict {
    /// Whether nothing happened that must not.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule it breaks.
    pub rule: Rule,
    /// For people, with clients, tokens and durations.
    pub detail: String,
    /// From when to when, in nanoseconds of the history's clock; the same twice for a moment.
    pub span: (u64, u64),
    /// The holds that it is about: client and acquisition.
    pub holds: Vec<(usize, HoldId)>,
}

/// A rule that a history must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// No two clients hold the same name at a time.
    MutualExclusion,
    /// A later holder has a greater fencing token.
    TokenOrder,
    /// A resource that checks fencing tokens loses no update.
    FencedUpdates,
    /// A holder is told of its loss before the validity ends, unless it did not get the CPU.
    LostInTime,
    /// A leader's work has ended before its term has, and before the next leader begins, unless it did not get the CPU.
    WorkInTerm,
    /// After the faults every client gets every lock.
    Liveness,
    /// Nothing stays on a node when all clients have ended.
    NothingLeft,
    /// The history makes sense: nobody releases what it has not acquired.
    WellFormed,
}

/// What happened, in numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Acquisitions that succeeded.
    pub acquired: usize,
    /// Acquisitions that were given up.
    pub given_up: usize,
    /// Locks that were lost, with the reasons and how often each.
    pub lost: Vec<(String, usize)>,
    /// Faults, with their kinds and how often each.
    pub faults: Vec<(String, usize)>,
    /// Faults that could not be done.
    pub faults_failed: usize,
    /// How long acquiring took.
    pub waits: Percentiles,
    /// How long locks were held.
    pub holds: Percentiles,
    /// Updates of the set that checks fencing tokens: done, refused, lost.
    pub fenced: Updates,
    /// Updates of the set that checks nothing. Losing some is what fencing tokens are for: no violation.
    pub unfenced: Updates,
    /// From the last fault's end until every client had acquired.
    pub recovery: Option<Duration>,
    /// The terms of leaders, if there was an election.
    pub terms: Option<Terms>,
}

/// The terms of leaders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// How many there were.
    pub count: usize,
    /// How many clients have led.
    pub clients: usize,
    /// How many were lost.
    pub lost: usize,
    /// How long they lasted for certain.
    pub lasted: Percentiles,
    /// How long nobody led for certain, from one term to the next.
    pub between: Percentiles,
}

/// The distribution of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "they say it themselves")]
pub struct Percentiles {
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
    pub max: Duration,
}

/// What became of updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Updates {
    /// Done, and still there in the end, or lost.
    pub done: usize,
    /// Refused for a fencing token.
    pub refused: usize,
    /// Done, and not there in the end.
    pub lost: usize,
}
