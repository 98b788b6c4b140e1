//! When each fault strikes what: drawn from a seed.

use std::time::Duration;

use super::FaultKind;
use super::strike::Strike;

/// What a schedule is to keep to.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The same seed makes the same schedule.
    pub seed: u64,
    /// What may happen.
    pub kinds: Vec<FaultKind>,
    /// How many nodes there are.
    pub nodes: usize,
    /// How many clients there are.
    pub clients: usize,
    /// How long the run lasts; every fault has ended a moment before.
    pub length: Duration,
    /// The TTL of the locks.
    pub ttl: Duration,
    /// The longest TTL, which quarantines last.
    pub max_ttl: Duration,
}

/// When each fault strikes what, in the order of their beginnings.
pub fn schedule(plan: &Plan) -> Vec<Strike> {
    let _ = plan;
    Vec::new()
}

/// The kinds of a plan that its schedule has no room for: there are too few nodes or clients, or it is too short.
pub fn left_out(plan: &Plan, strikes: &[Strike]) -> Vec<FaultKind> {
    let is_missing = |kind: &&FaultKind| strikes.iter().all(|strike| strike.kind != **kind);
    plan.kinds.iter().filter(is_missing).copied().collect()
}
