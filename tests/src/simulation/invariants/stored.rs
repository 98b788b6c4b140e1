//! What is held is stored on a quorum of nodes, where nodes keep what they have.

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

pub(super) struct Stored;

impl Invariant for Stored {
    fn look(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        if !scene.nodes_keep
            || !matches!(event, Event::Released { .. } | Event::Acquired { .. } | Event::Ran(_))
        {
            return Ok(());
        }
        for (_, hold) in scene.open_holds() {
            if !hold.held.is_valid() || scene.is_excused(hold) {
                continue;
            }
            let nodes = scene.nodes_of(&hold.name, hold.owner);
            if nodes < scene.quorum {
                return Err(format!(
                    "client {} holds {:?} for another {:?}, which {nodes} of {} nodes know of",
                    hold.client,
                    hold.name,
                    hold.held.remaining(),
                    scene.promises.len()
                ));
            }
        }
        Ok(())
    }
}
