//! Others are kept out for the delay that a leader has asked for, if it has not let go of its leadership.

use std::time::Duration;

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

pub(super) struct Takeover;

impl Invariant for Takeover {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Led { office } = event else { return Ok(()) };
        let new = &scene.offices[*office];
        let Some(last) = scene.offices[..*office].last() else { return Ok(()) };
        // Whoever died has let go of nothing.
        let has_kept = last.left.is_none() && (scene.crashed[last.client] || last.has_expired());
        if !has_kept {
            return Ok(());
        }
        // By its own clock. Those of nodes may be faster, by less than was set aside for drift.
        let waited = last.env.now().saturating_since(last.term.valid_until());
        if waited.saturating_add(Duration::from_millis(2)) >= last.delay * 99 / 100 {
            return Ok(());
        }
        Err(format!(
            "client {} leads {waited:?} after the validity of client {}, which has asked for {:?}",
            new.client, last.client, last.delay
        ))
    }
}
