//! What happens to requests.

use std::collections::BTreeSet;

use redlock::node::{RefusalReason, Reply};
use redlock::testing::faulty::Op;
use redlock::{LockName, OwnerToken};

use super::Situation;
use crate::simulation::event::Event;
use crate::simulation::record::Record;
use crate::simulation::scene::Scene;

pub(super) const SITUATIONS: &[&str] = &[
    "split vote",
    "raise round",
    "stale refusal",
    "quarantine",
    "request ran twice",
    "reply lost after effect",
    "granted to one who had given up",
];

/// Acquires that are awaited, and those that took effect meanwhile.
#[derive(Default)]
pub(super) struct Requests {
    awaited: BTreeSet<(usize, [u8; 20])>,
}

impl Situation for Requests {
    fn see(&mut self, scene: &Scene, event: &Event<'_>, record: &mut Record) {
        match event {
            Event::Asked(asked) if asked.op == Op::Acquire => {
                self.awaited.insert((asked.node, *asked.owner.as_bytes()));
            }
            Event::Heard(asked, answer) if asked.op == Op::Acquire => {
                self.awaited.remove(&(asked.node, *asked.owner.as_bytes()));
                let has_it = || {
                    scene
                        .promised(asked.node, &asked.name)
                        .is_some_and(|promise| promise.owner == asked.owner)
                };
                if answer.is_err() && has_it() {
                    record.count("reply lost after effect");
                }
            }
            Event::Ran(ran) => {
                if let Reply::Refused(refusal) = &ran.reply {
                    match refusal.reason {
                        RefusalReason::Quarantined => record.count("quarantine"),
                        RefusalReason::Stale => record.count("stale refusal"),
                        _ => {}
                    }
                    return;
                }
                match ran.op {
                    Op::Raise => record.count("raise round"),
                    Op::Acquire => {
                        let had = scene
                            .promised(ran.node, &ran.name)
                            .is_some_and(|promise| promise.owner == ran.owner);
                        if had {
                            record.count("request ran twice");
                        }
                        if !self.awaited.contains(&(ran.node, *ran.owner.as_bytes())) && !had {
                            record.count("granted to one who had given up");
                        }
                        if is_split(scene, &ran.name, ran.node, ran.owner) {
                            record.count("split vote");
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// Whether a quorum of nodes has the name for somebody, and none of them has a quorum.
fn is_split(scene: &Scene, name: &LockName, node: usize, owner: OwnerToken) -> bool {
    let owner_on = |other: usize| {
        if other == node { Some(owner) } else { scene.promised(other, name).map(|promise| promise.owner) }
    };
    let owners: Vec<OwnerToken> = (0..scene.promises.len()).filter_map(owner_on).collect();
    let most =
        owners.iter().map(|one| owners.iter().filter(|other| *other == one).count()).max().unwrap_or(0);
    most < scene.quorum && owners.len() > most && owners.len() >= scene.quorum
}
