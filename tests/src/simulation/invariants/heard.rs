//! A holder that was told by a majority that the lock is not its own ends it at once.

use std::collections::{BTreeMap, BTreeSet};

use redlock::Instant;
use redlock::node::{RefusalReason, Reply};
use redlock::testing::faulty::Op;

use super::Invariant;
use crate::simulation::event::{Asked, Event};
use crate::simulation::scene::Scene;

/// A round of extend: its client, when it was sent, and whose it was.
type Round = (usize, Instant, [u8; 20]);

/// The rounds under way, and the holds that must have ended by the next moment.
#[derive(Default)]
pub(super) struct Heard {
    sent: BTreeMap<Round, Vec<usize>>,
    refused: BTreeMap<Round, BTreeSet<usize>>,
    must_end: Vec<(Instant, usize)>,
}

impl Heard {
    fn round(asked: &Asked) -> Round {
        (asked.client, asked.sent, *asked.owner.as_bytes())
    }
}

impl Invariant for Heard {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::Asked(asked) if asked.op == Op::Extend => {
                self.sent.entry(Self::round(asked)).or_default().push(asked.node);
            }
            Event::Heard(asked, Ok(Reply::Refused(refusal))) if asked.op == Op::Extend => {
                let round = Self::round(asked);
                // Two rounds of one moment cannot be told apart.
                let is_one = self
                    .sent
                    .get(&round)
                    .is_some_and(|sent| sent.iter().collect::<BTreeSet<_>>().len() == sent.len());
                if is_one && matches!(refusal.reason, RefusalReason::Held | RefusalReason::Missing) {
                    let refused = self.refused.entry(round).or_default();
                    refused.insert(asked.node);
                    if refused.len() > scene.promises.len() - scene.quorum {
                        let own = |hold: &usize| scene.holds[*hold].owner == asked.owner;
                        let holds = scene.open.iter().copied().filter(own);
                        self.must_end.extend(holds.map(|hold| (scene.now, hold)));
                    }
                }
            }
            _ => {}
        }
        let now = scene.now;
        let (past, rest): (Vec<_>, Vec<_>) = self.must_end.drain(..).partition(|(at, _)| *at < now);
        self.must_end = rest;
        match past.into_iter().map(|(_, hold)| &scene.holds[hold]).find(|hold| hold.held.is_valid()) {
            None => Ok(()),
            Some(hold) => Err(format!(
                "client {} believes in {:?}, although a majority has told it otherwise",
                hold.client, hold.name
            )),
        }
    }
}
