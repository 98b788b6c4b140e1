//! Who held what, and when, on the machine's clock, which all holders share.

mod verdict;

pub use verdict::{Figures, Percentiles, Rule, Updates, Verdict, Violation};

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use redlock::{FencingToken, Held, Instant};

/// What all holders of one fleet have held.
#[derive(Default)]
pub struct Oracle {
    holds: Mutex<Vec<Hold>>,
}

struct Hold {
    name: String,
    token: FencingToken,
    /// It was held from here
    from: Instant,
    /// to there, for certain; perhaps for longer.
    to: Instant,
}

/// One hold of the oracle's.
#[derive(Clone, Copy)]
pub struct Entry(usize);

impl Oracle {
    /// Notes a lock that was just acquired. `None`: it is held no longer.
    pub fn begins(&self, held: &Held) -> Option<Entry> {
        let now = Instant::now();
        // It was acquired before, and so is held now.
        if !held.is_valid() {
            return None;
        }
        let (name, token) = (held.name().to_string(), held.fencing_token()?);
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        holds.push(Hold { name, token, from: held.acquired_at(), to: now });
        Some(Entry(holds.len() - 1))
    }

    /// Notes that it is held still; says whether it is.
    pub fn goes_on(&self, entry: Entry, held: &Held) -> bool {
        let now = Instant::now();
        let is_valid = held.is_valid();
        if is_valid {
            self.holds.lock().unwrap_or_else(PoisonError::into_inner)[entry.0].to = now;
        }
        is_valid
    }

    /// What must never be: two holders at a time, and a token that does not rise.
    pub fn violations(&self) -> Vec<String> {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: BTreeMap<&str, Vec<&Hold>> = BTreeMap::new();
        for hold in holds.iter() {
            names.entry(&hold.name).or_default().push(hold);
        }
        let mut violations = Vec::new();
        for (name, mut holds) in names {
            holds.sort_by_key(|hold| hold.from);
            let mut latest = holds[0];
            let mut highest = holds[0].token;
            for hold in &holds[1..] {
                if hold.from < latest.to {
                    let overlap = latest.to.min(hold.to).saturating_since(hold.from);
                    violations.push(format!("two holders of {name} for {overlap:?}"));
                }
                if hold.token <= highest {
                    violations.push(format!("the token {} of {name} comes behind {highest}", hold.token));
                }
                highest = highest.max(hold.token);
                if hold.to > latest.to {
                    latest = hold;
                }
            }
        }
        violations
    }

    /// How many holds there were.
    pub fn holds(&self) -> usize {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
