//! How leases go from one holder to the next in one process.

use std::collections::BTreeSet;

use redlock::{LockName, LockState, OwnerToken};

use super::Situation;
use crate::simulation::event::Event;
use crate::simulation::record::Record;
use crate::simulation::scene::Scene;

pub(super) const SITUATIONS: &[&str] = &[
    "handed over",
    "span used up",
    "extended before it was handed over",
    "handed on by one who was cancelled",
    "another client's turn after a hand-over",
    "a lease that was handed over lost",
    "shut down between two holders",
];

/// What becomes of leases between two holders.
#[derive(Default)]
pub(super) struct Handing {
    /// Those who left the head of a line while a lease was between two holders.
    cancelled: Vec<(usize, LockName, OwnerToken)>,
    lost: BTreeSet<usize>,
}

impl Situation for Handing {
    fn see(&mut self, scene: &Scene, event: &Event<'_>, record: &mut Record) {
        match event {
            Event::Acquired { hold } => {
                let new = &scene.holds[*hold];
                let before = scene.holds[..*hold].iter().rev().find(|hold| hold.name == new.name);
                if new.handed > 0 {
                    record.count("handed over");
                    if new.handed == scene.bounds[new.client] {
                        record.count("span used up");
                    }
                    if scene.between.iter().any(|(owner, _)| *owner == new.owner) {
                        record.count("extended before it was handed over");
                    }
                    let is_this = |(client, name, owner): &(usize, LockName, OwnerToken)| {
                        (*client, name, *owner) == (new.client, &new.name, new.owner)
                    };
                    if self.cancelled.iter().any(is_this) {
                        record.count("handed on by one who was cancelled");
                    }
                    self.cancelled.retain(|one| !is_this(one));
                } else if before.is_some_and(|before| before.handed > 0 && before.client != new.client) {
                    record.count("another client's turn after a hand-over");
                }
            }
            Event::Left { place } => {
                let Some(one) = scene.lines.iter().find(|one| one.place == *place) else { return };
                if scene.first_in_line(one.client, &one.name) != Some(*place) {
                    return;
                }
                let last = scene.open.iter().rev().map(|&hold| &scene.holds[hold]);
                let last = last.filter(|hold| hold.client == one.client).find(|hold| hold.name == one.name);
                if let Some(last) = last.filter(|last| last.let_go.is_some()) {
                    self.cancelled.push((one.client, one.name.clone(), last.owner));
                }
            }
            Event::ShutDown { client } if scene.between.iter().any(|(_, between)| between == client) => {
                record.count("shut down between two holders");
            }
            _ => {}
        }
        for (number, hold) in scene.open_holds() {
            if hold.handed > 0 && matches!(hold.held.state(), LockState::Lost(_)) && self.lost.insert(number)
            {
                record.count("a lease that was handed over lost");
            }
        }
    }
}
