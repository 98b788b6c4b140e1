//! Whoever watches an election hears of leaders that there are, and never of an earlier one after a later one.

use std::collections::{BTreeMap, BTreeSet};

use redlock::node::Reply;
use redlock::testing::faulty::Op;
use redlock::{FencingToken, Observation};

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

#[derive(Default)]
pub(super) struct Observers {
    /// The latest epoch that each client was told of, and its leader.
    latest: BTreeMap<usize, (FencingToken, String)>,
    /// Of whom somebody was told, with an epoch that nobody has led with yet: it may be about to.
    early: Vec<(FencingToken, String)>,
    /// Which tokens nodes have given.
    given: BTreeSet<u64>,
}

impl Invariant for Observers {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::Ran(ran) if ran.op != Op::Extend => {
                if let Reply::Granted(_) = &ran.reply {
                    self.given.extend(ran.after.counter);
                }
                Ok(())
            }
            Event::Led { office } => {
                let term = &scene.offices[*office].term;
                let is_wrong = |(epoch, candidate): &&(FencingToken, String)| {
                    *epoch == term.epoch() && candidate != term.candidate().as_str()
                };
                match self.early.iter().find(is_wrong) {
                    None => Ok(()),
                    Some((epoch, candidate)) => {
                        Err(format!("somebody was told that {candidate} leads with epoch {}", epoch.get()))
                    }
                }
            }
            Event::Observed { client, observation: Observation::Leader(leader) } => {
                let (epoch, candidate) = (leader.epoch, leader.candidate.as_str());
                let told =
                    || format!("client {client} was told that {candidate} leads with epoch {}", epoch.get());
                let now = (epoch, candidate.to_owned());
                let before = self.latest.insert(*client, now.clone());
                let goes_back = |(before, other): &(FencingToken, String)| {
                    *before > epoch || (*before == epoch && other != candidate)
                };
                if let Some((before, other)) = before.filter(goes_back) {
                    return Err(format!("{}, after {other} with {}", told(), before.get()));
                }
                if !self.given.contains(&epoch.get()) {
                    return Err(format!("{}, which no node has given", told()));
                }
                match scene.offices.iter().find(|office| office.term.epoch() == epoch) {
                    Some(office) if office.candidate().as_str() != candidate => {
                        Err(format!("{}, and it was another one's", told()))
                    }
                    Some(_) => Ok(()),
                    None => {
                        self.early.push(now);
                        Ok(())
                    }
                }
            }
            _ => Ok(()),
        }
    }
}
