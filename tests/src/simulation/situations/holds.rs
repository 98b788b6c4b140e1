//! How holds end, and what they go through.

use std::collections::BTreeSet;

use redlock::{LockState, LostReason};

use super::Situation;
use crate::simulation::event::Event;
use crate::simulation::record::Record;
use crate::simulation::scene::Scene;

pub(super) const SITUATIONS: &[&str] = &[
    "own clock",
    "lost on majority",
    "lost by expiry",
    "lost by renewal limit",
    "suspect",
    "renewed beyond its first validity",
    "told of the loss",
];

/// What was counted already, by hold.
#[derive(Default)]
pub(super) struct Holds {
    counted: BTreeSet<(usize, &'static str)>,
}

impl Situation for Holds {
    fn see(&mut self, scene: &Scene, event: &Event<'_>, record: &mut Record) {
        if let Event::Told { .. } = event {
            record.count("told of the loss");
        }
        for (number, hold) in scene.open_holds() {
            let situation = match hold.held.state() {
                LockState::Lost(LostReason::ClockMoved) => "own clock",
                LockState::Lost(LostReason::Superseded | LostReason::Missing) => "lost on majority",
                LockState::Lost(LostReason::Expired) => "lost by expiry",
                LockState::Lost(LostReason::RenewLimit) => "lost by renewal limit",
                LockState::Suspect { .. } => "suspect",
                LockState::Held if scene.now.saturating_since(hold.acquired) > hold.held.ttl().get() => {
                    "renewed beyond its first validity"
                }
                _ => continue,
            };
            if self.counted.insert((number, situation)) {
                record.count(situation);
            }
        }
    }
}
