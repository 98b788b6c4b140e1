//! What must always hold, one subject a file.

mod deletion;
mod epochs;
mod exclusion;
mod former;
mod heard;
mod leaders;
mod line;
mod nodes;
mod observers;
mod quarantine;
mod return_of_the_lost;
mod standstill;
mod stored;
mod stored_tokens;
mod takeover;
mod tokens;
mod told;
mod turns;
mod validity;
mod work;
mod worth;

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
        ("stored tokens", Box::new(stored_tokens::StoredTokens)),
        ("former holders", Box::new(former::Former)),
        ("line", Box::new(line::Line)),
        ("turns of others", Box::new(turns::Turns)),
        ("worth", Box::new(worth::Worth)),
        ("leaders", Box::new(leaders::Leaders)),
        ("epochs", Box::<epochs::Epochs>::default()),
        ("work", Box::<work::Work>::default()),
        ("takeover", Box::new(takeover::Takeover)),
        ("observers", Box::<observers::Observers>::default()),
    ]
}
