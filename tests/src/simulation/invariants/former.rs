//! Whoever has let go does not hold, whoever has the lease now.

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// Views of former holders are asked at every event.
pub(super) struct Former;

impl Invariant for Former {
    fn look(&mut self, scene: &Scene, _event: &Event<'_>) -> Result<(), String> {
        match scene.open_holds().find(|(_, hold)| hold.let_go.is_some() && hold.held.is_valid()) {
            None => Ok(()),
            Some((_, hold)) => Err(format!(
                "client {} has let go of {:?}, and that hold is {:?}",
                hold.client,
                hold.name,
                hold.held.state()
            )),
        }
    }
}
