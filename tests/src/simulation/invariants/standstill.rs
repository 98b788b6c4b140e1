//! A holder whose clock stood still gives up what it held.

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

pub(super) struct Standstill;

impl Invariant for Standstill {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Stood { client, until } = event else { return Ok(()) };
        let kept = scene
            .open_holds()
            .map(|(_, hold)| hold)
            .find(|hold| hold.client == *client && hold.acquired < *until && hold.held.is_valid());
        match kept {
            None => Ok(()),
            Some(hold) => Err(format!(
                "client {client} believes in {:?} long after its clock had stood still",
                hold.name
            )),
        }
    }
}
