//! The quorum, as pure state machines.
//!
//! No I/O, no clock, no random source, no async: time and answers come in as arguments, decisions come out. That makes
//! every order of answers testable, and the simulation and the real driver run the same code.

mod backoff;
mod claim;
mod clocks;
mod fencing;
mod node_set;
mod release;
pub(crate) mod restart;
mod round;
mod size;
mod validity;

pub(crate) use backoff::{Backoff, Situation};
pub(crate) use claim::{Answer, Claim};
pub(crate) use clocks::{Clocks, Culprit, Moved, Trust};
pub(crate) use fencing::Fencing;
pub(crate) use node_set::NodeSet;
pub(crate) use release::{ReleaseOutcome, ReleaseTally, ReleaseVote};
pub(crate) use round::{Outcome, Round, Vote};
pub use size::{InvalidQuorum, Quorum};
pub use validity::{DriftFactor, InvalidDriftFactor};

#[cfg(test)]
mod properties;
