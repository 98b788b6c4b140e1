//! Which faults a fleet can have.

use super::FaultKind;
use crate::fleet::{ActionKind, Fleet};

/// The kinds of faults that can be done with this fleet.
pub fn possible(fleet: &dyn Fleet) -> Vec<FaultKind> {
    let actions = fleet.actions();
    let has_ways = fleet.protocol().is_some();
    let can = |kind: &FaultKind| {
        needs(*kind).iter().all(|action| actions.contains(action)) && (has_ways || !is_of_ways(*kind))
    };
    FaultKind::ALL.into_iter().filter(can).collect()
}

/// Whether all of these kinds can be done with this fleet.
///
/// # Errors
/// Which cannot, and which can.
pub fn check(fleet: &dyn Fleet, kinds: &[FaultKind]) -> Result<(), String> {
    let possible = possible(fleet);
    let list = |kinds: &[FaultKind]| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let impossible: Vec<_> = kinds.iter().filter(|kind| !possible.contains(kind)).copied().collect();
    match impossible.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "the fleet `{}` cannot have these faults: {}; it can have: {}",
            fleet.kind(),
            list(&impossible),
            list(&possible)
        )),
    }
}

/// Whether it strikes what is between clients and nodes.
const fn is_of_ways(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Partition | FaultKind::ReplyLost | FaultKind::Delay | FaultKind::Reset)
}

/// What is done to a node for a fault; clients and ways are the run's own.
const fn needs(kind: FaultKind) -> &'static [ActionKind] {
    match kind {
        FaultKind::Kill => &[ActionKind::Kill, ActionKind::Start],
        FaultKind::Amnesia => &[ActionKind::Kill, ActionKind::StartEmpty],
        FaultKind::Power => &[ActionKind::LosePower],
        FaultKind::Pause => &[ActionKind::Pause, ActionKind::Resume],
        FaultKind::Flush => &[ActionKind::Flush],
        FaultKind::Promote => &[ActionKind::Promote],
        FaultKind::Clock => &[ActionKind::ClockStep],
        FaultKind::Slew => &[ActionKind::ClockRate],
        FaultKind::Partition
        | FaultKind::ReplyLost
        | FaultKind::Delay
        | FaultKind::Reset
        | FaultKind::ClientKill
        | FaultKind::ClientPause => &[],
    }
}
