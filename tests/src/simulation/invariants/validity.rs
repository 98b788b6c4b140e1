//! What is handed out is valid.

use redlock::{LockState, LostReason};

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// A lock is valid at the moment at which its caller gets it: no time passes between the look at the clock and the return.
pub(super) struct Validity;

impl Invariant for Validity {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Acquired { hold } = event else { return Ok(()) };
        let hold = &scene.holds[*hold];
        // Found out in the same moment by another task.
        if hold.held.is_valid() || hold.held.state() == LockState::Lost(LostReason::ClockMoved) {
            return Ok(());
        }
        Err(format!("client {} was handed {:?}, which is {:?}", hold.client, hold.name, hold.held.state()))
    }
}
