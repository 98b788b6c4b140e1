//! Never two leaders, and nobody is given a leadership that has ended.

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// Exact: an overlap begins when the second one is given its leadership.
pub(super) struct Leaders;

impl Invariant for Leaders {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Led { office } = event else { return Ok(()) };
        let new = &scene.offices[*office];
        if !new.is_valid() {
            return Err(format!(
                "client {} was given a leadership that is {:?}",
                new.client,
                new.term.state()
            ));
        }
        let others = scene.offices[..*office].iter();
        let Some(other) = others.rev().find(|other| other.is_valid()) else { return Ok(()) };
        Err(format!(
            "client {} leads, and client {} does so for another {:?}",
            new.client,
            other.client,
            other.term.remaining()
        ))
    }
}
