//! How leaderships begin and end, and what others see of them.

use std::collections::BTreeMap;
use std::time::Duration;

use redlock::testing::faulty::Op;
use redlock::{Instant, LeadershipState, Observation, OwnerToken};

use super::Situation;
use crate::simulation::event::Event;
use crate::simulation::office::Office;
use crate::simulation::record::Record;
use crate::simulation::scene::Scene;

pub(super) const SITUATIONS: &[&str] = &[
    "leadership",
    "led after another had resigned",
    "led after another had expired",
    "led after another had died",
    "led after a delay",
    "won too late, and turned down",
    "leader suspect, and well again",
    "leader died",
    "leader paused beyond its validity",
    "a leader seen",
    "nobody seen to lead",
    "observer disconnected",
    "a value seen",
];

/// A round of acquire of a candidate that was given no leadership yet.
struct Ask {
    owner: OwnerToken,
    sent: Instant,
    ttl: Option<Duration>,
    /// It has won, and said so.
    has_announced: bool,
}

impl Ask {
    /// Whether it has won, and what it has won is over.
    fn was_late(&self, now: Instant) -> bool {
        self.has_announced && self.ttl.is_some_and(|ttl| now.saturating_since(self.sent) > ttl)
    }
}

#[derive(Default)]
pub(super) struct Leading {
    /// What each client asks for.
    asks: BTreeMap<usize, Ask>,
    /// Who is suspect.
    suspect: Option<usize>,
    paused: Option<usize>,
}

impl Situation for Leading {
    fn see(&mut self, scene: &Scene, event: &Event<'_>, record: &mut Record) {
        match event {
            Event::Asked(asked) if asked.op == Op::Extend => {
                let ask = self.asks.get_mut(&asked.client).filter(|ask| ask.owner == asked.owner);
                ask.into_iter().for_each(|ask| ask.has_announced = true);
            }
            Event::Asked(asked) if asked.op == Op::Acquire => {
                let ask = Ask { owner: asked.owner, sent: scene.now, ttl: None, has_announced: false };
                match self.asks.get(&asked.client) {
                    // The same round, at another node.
                    Some(last) if last.owner == asked.owner => return,
                    Some(last) if last.was_late(scene.now) && !scene.is_calm && !scene.offices.is_empty() => {
                        record.count("won too late, and turned down");
                    }
                    _ => {}
                }
                self.asks.insert(asked.client, ask);
            }
            Event::Ran(ran) if ran.op == Op::Acquire => {
                let ask = self.asks.values_mut().find(|ask| ask.owner == ran.owner);
                ask.into_iter().for_each(|ask| ask.ttl = Some(ran.ttl.get()));
            }
            Event::Led { office } => {
                record.count("leadership");
                self.asks.remove(&scene.offices[*office].client);
                let Some(last) = scene.offices[..*office].last() else { return };
                if last.client != scene.offices[*office].client {
                    record.count(how(scene, last));
                }
                if last.left.is_none() && !last.delay.is_zero() {
                    record.count("led after a delay");
                }
            }
            Event::Crashed { client } => {
                let leads = |office: &&Office| office.client == *client && office.is_valid();
                if scene.offices.last().is_some_and(|office| leads(&office)) {
                    record.count("leader died");
                }
            }
            Event::Observed { observation, .. } => match observation {
                Observation::Leader(leader) => {
                    record.count("a leader seen");
                    if !leader.value.is_empty() {
                        record.count("a value seen");
                    }
                }
                Observation::NoLeader => record.count("nobody seen to lead"),
                _ => record.count("observer disconnected"),
            },
            _ => {}
        }
        self.look_at_last(scene, record);
    }
}

impl Leading {
    /// Looks at who has led last.
    fn look_at_last(&mut self, scene: &Scene, record: &mut Record) {
        let Some(number) = scene.offices.len().checked_sub(1) else { return };
        let last = &scene.offices[number];
        match last.term.state() {
            LeadershipState::Suspect { .. } => self.suspect = Some(number),
            LeadershipState::Leading if self.suspect.take() == Some(number) => {
                record.count("leader suspect, and well again");
            }
            LeadershipState::Lost(_)
                if last.works && last.is_past() && self.paused.replace(number) != Some(number) =>
            {
                record.count("leader paused beyond its validity");
            }
            _ => {}
        }
    }
}

/// How the one before has ended.
fn how(scene: &Scene, last: &Office) -> &'static str {
    if scene.crashed[last.client] && last.left.is_none() {
        return "led after another had died";
    }
    match last.term.state() {
        LeadershipState::Resigned => "led after another had resigned",
        _ => "led after another had expired",
    }
}
