//! Nobody holds what somebody else holds.

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// Exact: an overlap begins when the second one acquires. Each holder is asked by its own clock whether it may act.
pub(super) struct Exclusion;

impl Invariant for Exclusion {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Acquired { hold } = event else { return Ok(()) };
        let new = &scene.holds[*hold];
        if scene.is_excused(new) || !new.held.is_valid() {
            return Ok(());
        }
        let other = scene.open_holds().find(|(number, other)| {
            number != hold && other.name == new.name && other.held.is_valid() && !scene.is_excused(other)
        });
        match other {
            None => Ok(()),
            Some((_, other)) => Err(format!(
                "client {} acquired {:?}, which client {} holds for another {:?}",
                new.client,
                new.name,
                other.client,
                other.held.remaining()
            )),
        }
    }
}
