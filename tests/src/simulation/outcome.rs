//! What one run came to.

use std::fmt;
use std::time::Duration;

use super::record::Record;

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it came to.
    pub outcome: Outcome,
    /// What it has gone through.
    pub record: Record,
}

/// What one run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The seed that it follows from.
    pub seed: u64,
    /// What it was about.
    pub plan: &'static str,
    /// How many locks were acquired.
    pub acquired: u64,
    /// What happened that must not, the first few of it, in order.
    pub violations: Vec<Violation>,
    /// A hash of all that happened: a seed repeats itself.
    pub trace: u64,
}

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What does not hold.
    pub invariant: &'static str,
    /// When, in virtual time since the beginning.
    pub at: Duration,
    /// What happened.
    pub what: String,
}

impl Outcome {
    /// What went wrong first, with the command that shows it again; `None` if all is well.
    pub fn complaint(&self) -> Option<String> {
        let first = self.violations.first()?;
        let (plan, again) = (self.plan, command(self.seed));
        Some(format!("plan {plan}: {first}\nrun again with: {again}"))
    }
}

/// The command that runs one seed again.
pub fn command(seed: u64) -> String {
    format!("REDLOCK_SEED={seed} cargo test -p redlock-tests --test simulation one_seed -- --nocapture")
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {:?}: {}", self.invariant, self.at, self.what)
    }
}
