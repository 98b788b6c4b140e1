//! What must always hold, one subject a file.

mod deletion;
mod exclusion;
mod heard;
mod nodes;
mod quarantine;
mod return_of_the_lost;
mod standstill;
mod stored;
mod tokens;
mod told;
mod validity;

use super::event::Event;
use super::scene::Scene;

/// Something that must always hold. A run has one of each of its own, which may remember what it saw.
pub(crate) trait Invariant: Send {
    /// Looks at an event before the scene has changed by it. `Err` says what is wrong.
    fn see(&mut self, _scene: &Scene, _event: &Event<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Looks at the scene behind an event.
    fn look(&mut self, _scene: &Scene, _event: &Event<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// All of them, with their names.
pub(crate) fn all() -> Vec<(&'static str, Box<dyn Invariant>)> {
    vec![
        ("exclusion", Box::new(exclusion::Exclusion)),
        ("tokens", Box::<tokens::Tokens>::default()),
        ("validity", Box::new(validity::Validity)),
        ("return of the lost", Box::<return_of_the_lost::ReturnOfTheLost>::default()),
        ("told in time", Box::new(told::ToldInTime)),
        ("heard", Box::<heard::Heard>::default()),
        ("deletion", Box::<deletion::Deletion>::default()),
        ("standstill", Box::new(standstill::Standstill)),
        ("quarantine", Box::new(quarantine::Quarantine)),
        ("nodes", Box::new(nodes::Nodes)),
        ("stored", Box::new(stored::Stored)),
    ]
}
