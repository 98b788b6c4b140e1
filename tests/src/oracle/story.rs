//! A history by its holds and processes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::fault::FaultKind;
use crate::history::{ClientEvent, Event, FaultId, History, HoldId, RunEvent, Target, Write};

/// A loss by expiry is reported, and what is left on the nodes released, this much before the validity ends.
pub(super) const LEAD: Duration = Duration::from_millis(1);

/// What the rules look at.
#[derive(Default)]
pub(super) struct Story<'h> {
    /// Every acquisition that succeeded, by the time of that.
    pub(super) holds: Vec<Hold<'h>>,
    pub(super) given_up: usize,
    pub(super) processes: Vec<Process<'h>>,
    /// Of every client, when it did not get the CPU.
    pub(super) starved: BTreeMap<usize, Vec<(u64, u64)>>,
    pub(super) faults: Vec<Fault<'h>>,
    pub(super) faults_failed: usize,
    pub(super) calm: Option<u64>,
    pub(super) sets: Option<Sets<'h>>,
    /// Every lock that somebody wanted.
    pub(super) names: BTreeSet<&'h str>,
}

/// A lock that was held.
#[derive(Clone)]
pub(super) struct Hold<'h> {
    pub(super) client: usize,
    /// Where its process is.
    pub(super) process: usize,
    pub(super) id: HoldId,
    pub(super) name: &'h str,
    pub(super) wanted_at: u64,
    pub(super) acquired_at: u64,
    pub(super) token: Option<u64>,
    /// When it was last held for certain.
    pub(super) certain_until: u64,
    /// As it was last written down.
    pub(super) valid_until: u64,
    /// When the work of a leader went on last beyond its term.
    pub(super) worked_at: Option<u64>,
    pub(super) lost: Option<Loss<'h>>,
    pub(super) released_at: Option<u64>,
    pub(super) added: Vec<Added<'h>>,
}

#[derive(Clone, Copy)]
pub(super) struct Loss<'h> {
    pub(super) at: u64,
    pub(super) why: &'h str,
    pub(super) valid_until: u64,
}

#[derive(Clone, Copy)]
pub(super) struct Added<'h> {
    pub(super) at: u64,
    pub(super) element: &'h str,
    pub(super) fenced: Write,
    pub(super) unfenced: Write,
}

/// A process of a client.
pub(super) struct Process<'h> {
    pub(super) client: usize,
    pub(super) ended_at: Option<u64>,
    /// Another one has taken its place: it is dead.
    pub(super) is_replaced: bool,
    /// What it acquired, and when.
    pub(super) acquired: Vec<(&'h str, u64)>,
    /// The last that it gave up of each name, and why.
    pub(super) given_up: BTreeMap<&'h str, &'h str>,
}

pub(super) struct Fault<'h> {
    pub(super) id: FaultId,
    pub(super) kind: &'h str,
    pub(super) target: Target,
    pub(super) at: u64,
    pub(super) healed_at: Option<u64>,
}

/// What the resource had in the end.
pub(super) struct Sets<'h> {
    at: u64,
    fenced: BTreeSet<&'h str>,
    unfenced: BTreeSet<&'h str>,
}

impl Sets<'_> {
    /// Whether the fenced set had accepted the update before the end, and does not have it.
    pub(super) fn miss_fenced(&self, added: &Added<'_>) -> bool {
        added.fenced == Write::Done && added.at <= self.at && !self.fenced.contains(added.element)
    }

    /// The same of the unfenced set.
    pub(super) fn miss_unfenced(&self, added: &Added<'_>) -> bool {
        added.unfenced == Write::Done && added.at <= self.at && !self.unfenced.contains(added.element)
    }
}

impl Loss<'_> {
    /// Whether the validity had come to its end, and nothing else had gone wrong.
    pub(super) fn is_expiry(&self) -> bool {
        matches!(self.why, "Expired" | "RenewLimit")
    }
}

impl<'h> Story<'h> {
    pub(super) fn of(history: &'h History) -> Self {
        let mut story = Reader::default();
        for event in &history.events {
            match event {
                Event::Client { at, client, what } => story.client(*at, *client, what),
                Event::Run { at, what } => story.run(*at, what),
            }
        }
        let mut story = story.story;
        story.holds.sort_by_key(|hold| (hold.acquired_at, hold.token));
        story
    }

    /// When a client could do at the latest what was due at `due`, and was done at `done`: then, or as soon as it got the CPU again
    /// after that. That it did not get it, it has noted itself, or the run has noted that it stopped it.
    pub(super) fn could_run_at(&self, client: usize, due: u64, done: u64) -> u64 {
        let starved = self.starved.get(&client).into_iter().flatten().copied();
        let is_stopped = |fault: &&Fault<'_>| {
            fault.kind == FaultKind::ClientPause.name() && fault.target == Target::Client(client)
        };
        let stopped = self.faults.iter().filter(is_stopped);
        let stopped = stopped.map(|fault| (fault.at, fault.healed_at.unwrap_or(u64::MAX)));
        // It lasted until then, or began later but before it was done.
        let hindered = starved.chain(stopped).filter(|(from, to)| *from <= done && *to >= due);
        hindered.map(|(_, to)| to).fold(due, u64::max)
    }

    /// The process that came last, of every client.
    pub(super) fn last_processes(&self) -> impl Iterator<Item = &Process<'h>> {
        let last: BTreeMap<usize, &Process<'h>> =
            self.processes.iter().map(|process| (process.client, process)).collect();
        last.into_values()
    }

    /// The holds of each name, in order.
    pub(super) fn by_name(&self) -> BTreeMap<&'h str, Vec<&Hold<'h>>> {
        let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for hold in &self.holds {
            names.entry(hold.name).or_default().push(hold);
        }
        names
    }
}

/// A history, read up to some event.
#[derive(Default)]
struct Reader<'h> {
    story: Story<'h>,
    /// The process of each client.
    current: BTreeMap<usize, usize>,
    /// What each process wants, and since when.
    wants: BTreeMap<(usize, HoldId), (&'h str, u64)>,
    /// Where its holds are.
    holds: BTreeMap<(usize, HoldId), usize>,
}

impl<'h> Reader<'h> {
    fn client(&mut self, at: u64, client: usize, what: &'h ClientEvent) {
        if let ClientEvent::Started { .. } = what {
            if let Some(before) = self.current.insert(client, self.story.processes.len()) {
                self.story.processes[before].is_replaced = true;
            }
            let (acquired, given_up) = (Vec::new(), BTreeMap::new());
            let process = Process { client, ended_at: None, is_replaced: false, acquired, given_up };
            self.story.processes.push(process);
            return;
        }
        // One that has not started is a matter of form.
        let Some(&process) = self.current.get(&client) else { return };
        match what {
            ClientEvent::Started { .. } => {}
            ClientEvent::Wants { hold, name } => {
                self.story.names.insert(name);
                self.wants.insert((process, *hold), (name, at));
            }
            ClientEvent::GaveUp { hold, why } => {
                self.story.given_up += 1;
                if let Some((name, _)) = self.wants.get(&(process, *hold)) {
                    self.story.processes[process].given_up.insert(name, why);
                }
            }
            ClientEvent::Acquired { hold, token, valid_until } => {
                let Some(&(name, wanted_at)) = self.wants.get(&(process, *hold)) else { return };
                self.story.processes[process].acquired.push((name, at));
                self.holds.insert((process, *hold), self.story.holds.len());
                self.story.holds.push(Hold {
                    client,
                    process,
                    id: *hold,
                    name,
                    wanted_at,
                    acquired_at: at,
                    token: *token,
                    certain_until: at,
                    valid_until: *valid_until,
                    worked_at: None,
                    lost: None,
                    released_at: None,
                    added: Vec::new(),
                });
            }
            ClientEvent::Holds { hold, valid_until } => self.with(process, *hold, |hold| {
                hold.certain_until = hold.certain_until.max(at);
                hold.valid_until = hold.valid_until.max(*valid_until);
            }),
            ClientEvent::Lost { hold, why, valid_until } => self.with(process, *hold, |hold| {
                hold.lost = Some(Loss { at, why, valid_until: *valid_until });
            }),
            ClientEvent::Works { hold } => self.with(process, *hold, |hold| hold.worked_at = Some(at)),
            ClientEvent::Releases { hold } => self.with(process, *hold, |hold| hold.released_at = Some(at)),
            ClientEvent::Released { .. } => {}
            ClientEvent::Added { hold, element, fenced, unfenced } => self.with(process, *hold, |hold| {
                hold.added.push(Added { at, element, fenced: *fenced, unfenced: *unfenced });
            }),
            ClientEvent::Starved { from } => {
                self.story.starved.entry(client).or_default().push((*from, at));
            }
            ClientEvent::Ended => self.story.processes[process].ended_at = Some(at),
        }
    }

    fn with(&mut self, process: usize, hold: HoldId, change: impl FnOnce(&mut Hold<'h>)) {
        if let Some(&index) = self.holds.get(&(process, hold)) {
            change(&mut self.story.holds[index]);
        }
    }

    fn run(&mut self, at: u64, what: &'h RunEvent) {
        match what {
            RunEvent::Fault { id, kind, target, .. } => {
                let fault = Fault { id: *id, kind, target: *target, at, healed_at: None };
                self.story.faults.push(fault);
            }
            RunEvent::Healed { id } => {
                for fault in self.story.faults.iter_mut().filter(|fault| fault.id == *id) {
                    fault.healed_at = Some(at);
                }
            }
            RunEvent::Failed { .. } => self.story.faults_failed += 1,
            RunEvent::Calm => self.story.calm = Some(at),
            RunEvent::Sets { fenced, unfenced } => {
                let set = |elements: &'h Vec<String>| elements.iter().map(String::as_str).collect();
                self.story.sets = Some(Sets { at, fenced: set(fenced), unfenced: set(unfenced) });
            }
            RunEvent::LeftKey { .. } => {}
        }
    }
}

/// How late one thread of a process may run that gets the CPU otherwise: also covers starvation too short to be noted.
pub(super) const ALLOWANCE: u64 = 100_000_000;

/// For people.
pub(super) fn duration(from: u64, to: u64) -> String {
    format!("{:.1?}", Duration::from_nanos(to.saturating_sub(from)))
}

/// For people: a client's number and its token.
pub(super) fn holder(hold: &Hold<'_>) -> String {
    match hold.token {
        Some(token) => format!("client {} (token {token})", hold.client),
        None => format!("client {}", hold.client),
    }
}
