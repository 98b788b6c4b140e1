//! Who waits in the line of one process is served before those who came later.

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// Those who were cancelled, or whose time is up, are in line no longer.
pub(super) struct Line;

impl Invariant for Line {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Acquired { hold } = event else { return Ok(()) };
        let hold = &scene.holds[*hold];
        let Some(place) = hold.place else { return Ok(()) };
        let before = scene.lines.iter().find(|one| {
            one.client == hold.client && one.name == hold.name && one.place < place && !one.is_late()
        });
        match before {
            None => Ok(()),
            Some(before) => Err(format!(
                "in client {} number {place} got {:?} before number {}, which still waits",
                hold.client, hold.name, before.place
            )),
        }
    }
}
