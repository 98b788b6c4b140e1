//! Judges a history: what must not be, and what happened in numbers.
//!
//! All clients of a history read one clock, so that their events can be compared. Every rule rests on what is certain,
//! so that it never complains about a history of correct locks; where a rule allows for something, it says so.
//!
//! # What is certain
//! * At the time of `Acquired`, and of every `Holds`, the client held the lock: the clock was read first, and the lock was
//!   found valid afterwards; validity has no gaps. In between it held it, too.
//! * A client that is stopped or killed writes nothing. What it wrote stands: that others find the lock free before the
//!   validity that it wrote down has ended is as wrong as if it still ran. Rule by rule, see the modules.

mod exclusion;
mod fencing;
mod figures;
mod form;
mod left;
mod liveness;
mod loss;
mod story;
mod terms;
mod updates;
mod verdict;

pub use verdict::{Figures, Percentiles, Rule, Terms, Updates, Verdict, Violation};

use crate::history::History;
use story::Story;

/// What the history comes to. The violations are in the order of the rules, and of time within a rule.
///
/// The history of a run that still goes on can be judged as well: what is not known yet, breaks no rule.
pub fn judge(history: &History) -> Verdict {
    let story = Story::of(history);
    let mut violations = exclusion::violations(&story);
    violations.extend(fencing::violations(&story));
    violations.extend(updates::violations(&story));
    violations.extend(loss::violations(&story));
    violations.extend(terms::violations(&story));
    violations.extend(liveness::violations(&story));
    violations.extend(left::violations(history));
    violations.extend(form::violations(history));
    Verdict { violations, figures: figures::figures(&story) }
}
