//! What is lost stays lost.

use std::collections::BTreeSet;

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// The holds that were seen to have ended.
#[derive(Default)]
pub(super) struct ReturnOfTheLost {
    ended: BTreeSet<usize>,
}

impl Invariant for ReturnOfTheLost {
    fn see(&mut self, scene: &Scene, _event: &Event<'_>) -> Result<(), String> {
        for (number, hold) in scene.open_holds() {
            if !hold.held.is_valid() {
                self.ended.insert(number);
            } else if self.ended.contains(&number) {
                return Err(format!(
                    "client {} had lost {:?} and believes in it again",
                    hold.client, hold.name
                ));
            }
        }
        Ok(())
    }
}
