//! Whoever waits for the loss is told before the validity has ended.

use redlock::LostReason;

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// A process that got no CPU then is told when it goes on, and not before.
pub(super) struct ToldInTime;

impl Invariant for ToldInTime {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Told { hold, reason: LostReason::Expired | LostReason::RenewLimit } = event else {
            return Ok(());
        };
        let hold = &scene.holds[*hold];
        if scene.now > scene.paused[hold.client] && !scene.is_excused(hold) && hold.is_past() {
            return Err(format!(
                "client {} heard of the loss of {:?} at its end only",
                hold.client, hold.name
            ));
        }
        Ok(())
    }
}
