//! What one run came to, and what it has gone through.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What one run came to. All but the first and the last are zero unless something is wrong.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) acquired: usize,
    /// Somebody acquired what somebody else still held, validly by its own clock.
    pub(crate) overlaps: usize,
    /// Somebody acquired with a fencing token that is not above all before it.
    pub(crate) repeats: usize,
    /// A node gave a lock to somebody new less than the longest TTL after it had lost its memory.
    pub(crate) early_grants: usize,
    /// Somebody believed in a lock long after its clock had stood still.
    pub(crate) kept_after_stop: usize,
    /// A node was taken for another fleet's.
    pub(crate) foreign: usize,
    /// Clients that could not acquire when all was well again.
    pub(crate) starved: usize,
    /// Keys that nobody holds any more, long before they expire.
    pub(crate) leftovers: usize,
    /// Tasks that are still there when all is over.
    pub(crate) tasks: usize,
    pub(crate) trace: u64,
}

impl Outcome {
    /// Whether nothing that must not happen has happened.
    pub(crate) fn is_good(&self) -> bool {
        *self == Self { acquired: self.acquired, trace: self.trace, ..Self::default() }
    }
}

/// Situations that a set of runs must have gone through: safeguards that were never needed are not tested.
pub(crate) const SITUATIONS: [&str; 11] = [
    "split vote",
    "raise round",
    "restore",
    "straggler adopted",
    "quarantine",
    "admission with a floor from others",
    "stale refusal",
    "clock moved",
    "own clock",
    "late join",
    "client crash",
];

/// How often each situation came up, and a hash of all that happened.
#[derive(Debug, Default)]
pub(crate) struct Record {
    situations: BTreeMap<&'static str, usize>,
    trace: DefaultHasher,
}

impl Record {
    pub(crate) fn count(&mut self, situation: &'static str) {
        assert!(SITUATIONS.contains(&situation), "{situation}");
        *self.situations.entry(situation).or_default() += 1;
    }

    pub(crate) fn note(&mut self, event: impl Hash) {
        event.hash(&mut self.trace);
    }

    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (situation, count) in &other.situations {
            *self.situations.entry(situation).or_default() += count;
        }
    }

    /// Situations that never came up.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        SITUATIONS.into_iter().filter(|situation| !self.situations.contains_key(situation)).collect()
    }
}
