//! A lock whose keys were deleted on a majority has ended within its TTL.

use std::time::Duration;

use redlock::Instant;

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// The holds that must have ended, and when. Nodes that did not lose their memory give nothing back, so that no renewal begun
/// later can succeed.
#[derive(Default)]
pub(super) struct Deletion {
    must_end: Vec<(Instant, usize)>,
}

impl Invariant for Deletion {
    fn look(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        if let Event::Deleted { name, .. } = event {
            for (number, hold) in scene.open_holds().filter(|(_, hold)| hold.name == **name) {
                let has_key = scene.nodes_of(name, hold.owner);
                if hold.held.is_valid()
                    && has_key + scene.quorum <= scene.promises.len()
                    && has_key < scene.quorum
                {
                    let ttl = hold.held.ttl().get();
                    let by = scene.now.saturating_add(ttl + ttl / 50 + Duration::from_millis(5));
                    self.must_end.push((by, number));
                }
            }
        }
        let past = self.must_end.iter().filter(|(by, _)| *by < scene.now);
        match past.map(|(_, hold)| &scene.holds[*hold]).find(|hold| hold.held.is_valid()) {
            None => Ok(()),
            Some(hold) => Err(format!(
                "client {} believes in {:?} long after its keys were deleted",
                hold.client, hold.name
            )),
        }
    }
}
