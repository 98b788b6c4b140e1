//! What a run begins with: its nodes, its clients and their configurations.

use std::ops::Range;
use std::time::Duration;

use super::troubles::Trouble;

/// The world of one run, as its plan has drawn it.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) nodes: usize,
    /// So many more are there, which no client has in its list until the set changes.
    pub(crate) spare: usize,
    pub(crate) names: usize,
    /// The longest TTL, which quarantines last.
    pub(crate) longest_ttl: Duration,
    /// The operator says that nobody holds a lock, so that nobody waits at the start.
    pub(crate) init: bool,
    /// Nodes lose nothing and nobody sets their clocks.
    pub(crate) nodes_keep: bool,
    /// Nodes tell when a lock becomes free; otherwise waiters poll.
    pub(crate) tells: bool,
    /// By how much the clocks of nodes run fast, in parts per million; empty: by nothing.
    pub(crate) node_rates: Vec<i32>,
    pub(crate) clients: Vec<Profile>,
    /// So many clients, the last ones, join late.
    pub(crate) late: usize,
    /// What becomes of single messages.
    pub(crate) network: Network,
    /// One client may be gone for good, and leave what it held.
    pub(crate) may_crash: bool,
    /// What goes wrong besides single messages, by weight.
    pub(crate) troubles: Vec<(u64, Trouble)>,
    /// So often something goes wrong.
    pub(crate) steps: usize,
    /// So long after the faults everybody must be able to acquire.
    pub(crate) recovery: Duration,
}

/// What becomes of single messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// They are slow.
    Slow,
    /// Now and then an answer is lost, too.
    Forgetful,
    /// They are lost, refused, late and doubled.
    Bad,
}

/// A client: its clock, its configuration and its habits.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) rate_ppm: i32,
    /// So many tasks of it want locks at the same time.
    pub(crate) tasks: usize,
    /// The TTL that its `Locks` has as a default.
    pub(crate) usual_ttl: Duration,
    pub(crate) node_timeout: Option<Duration>,
    pub(crate) drift_factor: f64,
    pub(crate) acquire_interval: Duration,
    pub(crate) retries: Option<u32>,
    pub(crate) renew_limit: Option<Duration>,
    /// How many times a lease may go from hand to hand.
    pub(crate) handoff: u32,
    /// The one name that it asks for; `None`: mostly the first one.
    pub(crate) name: Option<usize>,
    /// The TTLs of its locks, in milliseconds.
    pub(crate) ttl: Range<u64>,
    /// How long it waits for a lock, in milliseconds.
    pub(crate) wait: Range<u64>,
    /// How long it mostly holds a lock at most, and how long now and then, in milliseconds.
    pub(crate) hold: (u64, u64),
    /// How many times it acquires.
    pub(crate) rounds: usize,
}

impl Profile {
    /// One with the library's defaults.
    pub(crate) fn new(ttl: Range<u64>) -> Self {
        Self {
            rate_ppm: 0,
            tasks: 1,
            usual_ttl: Duration::from_millis(500),
            node_timeout: None,
            drift_factor: 0.01,
            acquire_interval: Duration::from_millis(20),
            retries: None,
            renew_limit: None,
            handoff: 64,
            name: None,
            ttl,
            wait: 10..3_000,
            hold: (500, 3_000),
            rounds: 6,
        }
    }
}
