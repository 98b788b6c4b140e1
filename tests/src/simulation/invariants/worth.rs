//! Whoever is handed a lock has time to use it: half of the TTL that it asked for, at least.

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

pub(super) struct Worth;

impl Invariant for Worth {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Acquired { hold } = event else { return Ok(()) };
        let hold = &scene.holds[*hold];
        let (left, ttl) = (hold.held.remaining(), hold.held.ttl().get());
        if hold.handed == 0 || !hold.held.is_valid() || left >= ttl / 2 {
            return Ok(());
        }
        Err(format!("client {} was handed {:?} for {left:?}, of a TTL of {ttl:?}", hold.client, hold.name))
    }
}
