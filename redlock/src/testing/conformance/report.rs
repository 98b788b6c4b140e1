//! What came out of a run, for people and for programs.

use std::fmt;
use std::time::Duration;

use super::{Check, Outcome};

/// What came out of the checks. Its `Display` is a table, one line a check, with the failures at length below.
#[derive(Debug, Clone)]
pub struct Report {
    pub(super) address: String,
    pub(super) took: Duration,
    pub(super) entries: Vec<Entry>,
}

/// What came out of one check.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) check: Check,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
}

impl Entry {
    /// The check.
    pub fn check(&self) -> &Check {
        &self.check
    }

    /// How it ended.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// How long it took, in the subject's time.
    pub fn took(&self) -> Duration {
        self.took
    }
}

impl Report {
    /// What people call the node.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Every check that was run, in the order of [`suite`](super::suite).
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How long it took, in the subject's time.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// The names of the checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().filter(|entry| entry.outcome.is_failed()).map(|entry| entry.check.name())
    }

    /// Whether no check failed.
    pub fn is_ok(&self) -> bool {
        self.failed().next().is_none()
    }

    /// Does nothing if no check failed.
    ///
    /// # Panics
    /// With the report otherwise.
    #[track_caller]
    #[expect(clippy::panic, reason = "it is for tests")]
    pub fn assert_ok(&self) {
        if !self.is_ok() {
            panic!("the node does not keep the contract\n{self}");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |is_it: fn(&Outcome) -> bool| self.entries.iter().filter(|e| is_it(&e.outcome)).count();
        let (kept, broken) = (count(|outcome| *outcome == Outcome::Ok), count(Outcome::is_failed));
        let rest = self.entries.len() - kept - broken;
        let Self { address, took, .. } = self;
        writeln!(f, "{address}: {kept} kept, {broken} broken, {rest} not applicable ({took:.1?})")?;
        let width = self.entries.iter().map(|entry| entry.check.name.len()).max().unwrap_or(0);
        for Entry { check, outcome, took } in &self.entries {
            let name = check.name;
            match outcome {
                Outcome::Ok => writeln!(f, "  ok      {name:width$}  {took:.1?}")?,
                Outcome::NotApplicable(why) => writeln!(f, "  -       {name:width$}  {why}")?,
                Outcome::Failed { .. } => writeln!(f, "  BROKEN  {name}")?,
            }
        }
        for Entry { check, outcome, .. } in &self.entries {
            if let Outcome::Failed { expected, found } = outcome {
                let Check { name, clause, .. } = check;
                writeln!(f, "\n{name}\n  clause:   {clause}\n  expected: {expected}\n  found:    {found}")?;
            }
        }
        Ok(())
    }
}
