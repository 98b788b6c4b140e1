//! What a run has gone through.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use super::situations;

/// How often each situation came up, in one run or in many.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Record {
    counts: BTreeMap<&'static str, u64>,
}

impl Record {
    pub(crate) fn count(&mut self, situation: &'static str) {
        debug_assert!(situations::all().any(|known| known == situation), "nobody declared {situation:?}");
        *self.counts.entry(situation).or_default() += 1;
    }

    /// Takes in what another run has gone through.
    pub fn add(&mut self, other: &Self) {
        for (situation, count) in &other.counts {
            *self.counts.entry(situation).or_default() += count;
        }
    }

    /// How often a situation came up.
    pub fn of(&self, situation: &str) -> u64 {
        self.counts.get(situation).copied().unwrap_or(0)
    }

    /// Every situation there is, with how often it came up.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        situations::all().map(|situation| (situation, self.of(situation)))
    }

    /// Situations that never came up: what they need was not tested.
    pub fn missing(&self) -> Vec<&'static str> {
        situations::all().filter(|situation| self.of(situation) == 0).collect()
    }
}

/// A hash of everything that happened.
#[derive(Debug, Default)]
pub(crate) struct Trace(pub(crate) DefaultHasher);

impl Trace {
    pub(crate) fn value(&self) -> u64 {
        self.0.finish()
    }
}
