//! The history makes sense: nobody releases what it has not acquired.
//!
//! A history that does not is no evidence of anything; without this rule, one in which acquisitions are missing would be good.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rule, Violation};
use crate::history::{ClientEvent, Event, History, HoldId, RunEvent, Write};

pub(super) fn violations(history: &History) -> Vec<Violation> {
    let mut form = Form::default();
    for event in &history.events {
        match event {
            Event::Client { at, client, what } => {
                if *client >= history.run.clients {
                    form.wrong(*at, *client, None, &format!("is not one of {}", history.run.clients));
                }
                form.client(*at, *client, what);
            }
            Event::Run { at, what } => form.run(*at, what),
        }
    }
    form.finish(history.events.last().map_or(0, Event::at))
}

/// What was read up to some event.
#[derive(Default)]
struct Form<'h> {
    /// The present process of each client.
    processes: BTreeMap<usize, Process>,
    elements: BTreeSet<&'h str>,
    faults: BTreeSet<u64>,
    calm: bool,
    sets: bool,
    /// An update was accepted.
    accepted: bool,
    violations: Vec<Violation>,
}

#[derive(Default)]
struct Process {
    ended: bool,
    holds: BTreeMap<HoldId, Stage>,
    lost: BTreeSet<HoldId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Wanted,
    GivenUp,
    Held,
    Releasing,
    Released,
}

impl<'h> Form<'h> {
    fn client(&mut self, at: u64, client: usize, what: &'h ClientEvent) {
        if let ClientEvent::Started { .. } = what {
            self.processes.insert(client, Process::default());
            return;
        }
        let Some(process) = self.processes.get_mut(&client) else {
            return self.wrong(at, client, None, "does something before it has started");
        };
        if process.ended && !matches!(what, ClientEvent::Starved { .. }) {
            return self.wrong(at, client, None, "does something after it has ended");
        }
        let problem = match what {
            ClientEvent::Started { .. } => None,
            ClientEvent::Starved { from } => {
                (*from > at).then_some((None, "was starved from a time to an earlier one"))
            }
            ClientEvent::Ended => {
                process.ended = true;
                let open = |stage: &Stage| matches!(stage, Stage::Wanted | Stage::Held | Stage::Releasing);
                let left = process.holds.iter().find(|(_, stage)| open(stage));
                left.map(|(hold, _)| (Some(*hold), "ended with a hold that has no end"))
            }
            ClientEvent::Added { hold, element, fenced, unfenced } => {
                if *fenced == Write::Done || *unfenced == Write::Done {
                    self.accepted = true;
                }
                let known = !self.elements.insert(element);
                let problem = process.step(at, *hold, what);
                problem
                    .or(known.then_some("added an element that was added before"))
                    .map(|what| (Some(*hold), what))
            }
            ClientEvent::Wants { hold, .. }
            | ClientEvent::GaveUp { hold, .. }
            | ClientEvent::Acquired { hold, .. }
            | ClientEvent::Holds { hold, .. }
            | ClientEvent::Lost { hold, .. }
            | ClientEvent::Works { hold }
            | ClientEvent::Releases { hold }
            | ClientEvent::Released { hold, .. } => {
                process.step(at, *hold, what).map(|what| (Some(*hold), what))
            }
        };
        if let Some((hold, problem)) = problem {
            self.wrong(at, client, hold, problem);
        }
    }

    fn run(&mut self, at: u64, what: &RunEvent) {
        match what {
            RunEvent::Fault { id, .. } if !self.faults.insert(*id) => {
                self.say(at, format!("fault {id} began twice"), Vec::new());
            }
            RunEvent::Healed { id } if !self.faults.contains(id) => {
                self.say(at, format!("fault {id} was healed and had not begun"), Vec::new());
            }
            RunEvent::Calm => self.calm = true,
            RunEvent::Sets { .. } => self.sets = true,
            RunEvent::Fault { .. }
            | RunEvent::Healed { .. }
            | RunEvent::Failed { .. }
            | RunEvent::LeftKey { .. } => {}
        }
    }

    fn finish(mut self, at: u64) -> Vec<Violation> {
        if self.calm && !self.sets && self.accepted {
            self.say(
                at,
                "the resource was updated, and what it had in the end is missing".to_owned(),
                Vec::new(),
            );
        }
        self.violations
    }

    fn wrong(&mut self, at: u64, client: usize, hold: Option<HoldId>, problem: &str) {
        let of = hold.map_or_else(String::new, |hold| format!(" (its hold {hold})"));
        let holds = hold.map(|hold| (client, hold)).into_iter().collect();
        self.say(at, format!("client {client} {problem}{of}"), holds);
    }

    fn say(&mut self, at: u64, detail: String, holds: Vec<(usize, HoldId)>) {
        self.violations.push(Violation { rule: Rule::WellFormed, detail, span: (at, at), holds });
    }
}

impl Process {
    /// Takes a hold one step on; says what is wrong with that.
    fn step(&mut self, at: u64, hold: HoldId, what: &ClientEvent) -> Option<&'static str> {
        use Stage::{GivenUp, Held, Released, Releasing, Wanted};
        let stage = self.holds.get(&hold).copied();
        let (next, problem) = match (what, stage) {
            (ClientEvent::Wants { .. }, None) => (Wanted, None),
            (ClientEvent::Wants { .. }, Some(stage)) => {
                (stage, Some("wants under a number that it has used"))
            }
            (ClientEvent::GaveUp { .. }, Some(Wanted)) => (GivenUp, None),
            (ClientEvent::Acquired { valid_until, .. }, Some(Wanted)) => {
                (Held, (*valid_until < at).then_some("acquired what was valid no longer"))
            }
            (ClientEvent::Holds { valid_until, .. }, Some(Held)) => {
                let problem = if self.lost.contains(&hold) {
                    Some("holds what it has lost")
                } else {
                    (*valid_until < at).then_some("holds what is valid no longer")
                };
                (Held, problem)
            }
            // It may hear of a loss while it lets go, and may write after its time.
            (ClientEvent::Lost { .. }, Some(stage @ (Held | Releasing | Released))) => {
                (stage, (!self.lost.insert(hold)).then_some("lost it twice"))
            }
            (ClientEvent::Added { .. } | ClientEvent::Works { .. }, Some(Held)) => (Held, None),
            (ClientEvent::Releases { .. }, Some(Held)) => (Releasing, None),
            (ClientEvent::Released { .. }, Some(Releasing)) => (Released, None),
            (ClientEvent::Released { .. }, stage) => {
                (stage.unwrap_or(Released), Some("has released what it did not begin to release"))
            }
            (ClientEvent::GaveUp { .. } | ClientEvent::Acquired { .. }, stage) => {
                (stage.unwrap_or(GivenUp), Some("got, or gave up, what it did not want"))
            }
            (_, stage) => {
                (stage.unwrap_or(GivenUp), Some("does something with a lock that it does not have"))
            }
        };
        self.holds.insert(hold, next);
        problem
    }
}
