//! A history as what is drawn: acquisitions, processes and faults, each from when to when.

mod acquisition;
mod fault;

pub(super) use acquisition::{Acquisition, Fate};
pub(super) use fault::Fault;

use std::collections::{BTreeMap, BTreeSet};

use super::units::Scale;
use crate::fault::FaultKind;
use crate::history::{ClientEvent, Event, FaultId, History, HoldId, Run, RunEvent, Target};

/// A history as what is drawn.
pub(super) struct Story<'a> {
    pub(super) run: &'a Run,
    pub(super) scale: Scale,
    /// Since when there were no faults any more.
    pub(super) calm: Option<u64>,
    /// What was locked.
    pub(super) names: Vec<&'a str>,
    pub(super) clients: Vec<Client>,
    /// What the nodes are called, by their numbers.
    pub(super) nodes: Vec<String>,
    pub(super) acquisitions: Vec<Acquisition<'a>>,
    pub(super) faults: Vec<Fault<'a>>,
    /// Keys that were left: node and key.
    pub(super) left: Vec<(usize, &'a str)>,
}

/// What became of a client's processes.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) processes: Vec<Process>,
    /// When its threads did not get the CPU.
    pub(super) starved: Vec<(u64, u64)>,
}

/// A client's process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) from: u64,
    /// Its end, or that of the run.
    pub(super) to: u64,
    open: bool,
}

impl<'a> Story<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let ats = || history.events.iter().map(Event::at);
        let from = ats().min().unwrap_or(0);
        let to = ats().max().unwrap_or(0).max(from.saturating_add(1_000_000));
        let mut teller = Teller::new(&history.run, Scale { from, to });
        for event in &history.events {
            match event {
                Event::Client { at, client, what } => teller.client(*at, *client, what),
                Event::Run { at, what } => teller.run(*at, what),
            }
        }
        teller.end()
    }

    /// What a target is called.
    pub(super) fn target(&self, target: Target) -> String {
        match target {
            Target::Node(node) => self.node(node),
            Target::Client(client) => format!("client {client}"),
            Target::Way { client, node } => format!("client {client} ⇄ {}", self.node(node)),
        }
    }

    /// What a node is called.
    pub(super) fn node(&self, node: usize) -> String {
        self.nodes.get(node).map_or_else(|| format!("node {node}"), |name| format!("node {node}, {name}"))
    }

    /// The name that an acquisition is about.
    pub(super) fn name(&self, acquisition: &Acquisition<'a>) -> &'a str {
        acquisition.name.map_or("?", |name| self.names[name])
    }

    /// The acquisitions that a violation is about. A hold's number says only which one of a process it is.
    pub(super) fn concerned(&self, holds: &[(usize, HoldId)], span: (u64, u64)) -> BTreeSet<usize> {
        let meets = |one: &Acquisition<'_>| one.begin <= span.1 && one.end >= span.0;
        let all = self.acquisitions.iter().enumerate();
        all.filter(|(_, one)| holds.contains(&(one.client, one.hold)) && meets(one))
            .map(|(at, _)| at)
            .collect()
    }
}

/// A story that is being told, event by event.
struct Teller<'a> {
    story: Story<'a>,
    names: BTreeMap<&'a str, usize>,
    /// The acquisitions of each client's present process.
    present: BTreeMap<(usize, HoldId), usize>,
    faults: BTreeMap<FaultId, usize>,
}

impl<'a> Teller<'a> {
    fn new(run: &'a Run, scale: Scale) -> Self {
        let story = Story {
            run,
            scale,
            calm: None,
            names: Vec::new(),
            clients: (0..run.clients).map(|_| Client::default()).collect(),
            nodes: run.nodes.clone(),
            acquisitions: Vec::new(),
            faults: Vec::new(),
            left: Vec::new(),
        };
        Self { story, names: BTreeMap::new(), present: BTreeMap::new(), faults: BTreeMap::new() }
    }

    fn client(&mut self, at: u64, client: usize, what: &'a ClientEvent) {
        self.make_room(client);
        match what {
            ClientEvent::Started { pid } => {
                self.ends(client, at);
                let to = self.story.scale.to;
                self.story.clients[client].processes.push(Process { pid: *pid, from: at, to, open: true });
            }
            ClientEvent::Ended => self.ends(client, at),
            ClientEvent::Starved { from } => self.story.clients[client].starved.push((*from, at)),
            ClientEvent::Wants { hold, name } => {
                let next = self.names.len();
                let name = *self.names.entry(name).or_insert(next);
                let one = self.acquisition(at, client, *hold);
                one.name = Some(name);
                one.wants = Some(at);
            }
            ClientEvent::GaveUp { hold, .. }
            | ClientEvent::Acquired { hold, .. }
            | ClientEvent::Holds { hold, .. }
            | ClientEvent::Lost { hold, .. }
            | ClientEvent::Works { hold }
            | ClientEvent::Releases { hold }
            | ClientEvent::Released { hold, .. }
            | ClientEvent::Added { hold, .. } => self.acquisition(at, client, *hold).takes(at, what),
        }
    }

    fn run(&mut self, at: u64, what: &'a RunEvent) {
        match what {
            RunEvent::Fault { id, kind, target, detail } => {
                self.faults.insert(*id, self.story.faults.len());
                self.story.faults.push(Fault::new(*id, at, kind, *target, detail));
                match *target {
                    Target::Client(client) | Target::Way { client, .. } => self.make_room(client),
                    Target::Node(_) => {}
                }
                if let Target::Node(node) | Target::Way { node, .. } = *target {
                    self.make_room_for_node(node);
                }
                if let (Target::Client(client), true) = (*target, kind == FaultKind::ClientKill.name()) {
                    self.ends(client, at);
                }
            }
            RunEvent::Healed { id } => self.fault(*id, |fault| fault.healed = Some(at)),
            RunEvent::Failed { id, why } => self.fault(*id, |fault| fault.failed = Some(why)),
            RunEvent::Calm => self.story.calm = self.story.calm.or(Some(at)),
            RunEvent::Sets { .. } => {}
            RunEvent::LeftKey { node, key } => {
                self.make_room_for_node(*node);
                self.story.left.push((*node, key));
            }
        }
    }

    fn fault(&mut self, id: FaultId, change: impl FnOnce(&mut Fault<'a>)) {
        if let Some(&at) = self.faults.get(&id) {
            change(&mut self.story.faults[at]);
        }
    }

    /// The acquisition of the present process; a new one if the history never said that it began.
    fn acquisition(&mut self, at: u64, client: usize, hold: HoldId) -> &mut Acquisition<'a> {
        let all = &mut self.story.acquisitions;
        let index = *self.present.entry((client, hold)).or_insert_with(|| {
            all.push(Acquisition::new(client, hold, at));
            all.len() - 1
        });
        &mut all[index]
    }

    /// The client's present process is no more.
    fn ends(&mut self, client: usize, at: u64) {
        if let Some(process) = self.story.clients[client].processes.last_mut().filter(|last| last.open) {
            process.to = at;
            process.open = false;
        }
        let holds: Vec<_> =
            self.present.range((client, 0)..=(client, HoldId::MAX)).map(|(&hold, &at)| (hold, at)).collect();
        for (hold, index) in holds {
            self.story.acquisitions[index].process_ends(at);
            self.present.remove(&hold);
        }
    }

    fn make_room(&mut self, client: usize) {
        while self.story.clients.len() <= client {
            self.story.clients.push(Client::default());
        }
    }

    fn make_room_for_node(&mut self, node: usize) {
        while self.story.nodes.len() <= node {
            let next = self.story.nodes.len();
            self.story.nodes.push(format!("node {next}"));
        }
    }

    fn end(mut self) -> Story<'a> {
        let to = self.story.scale.to;
        for one in &mut self.story.acquisitions {
            one.run_ends(to);
        }
        // Names in their order, `chaos-2` before `chaos-10`.
        let mut order: Vec<_> = self.names.into_iter().collect();
        order.sort_by_key(|(name, _)| (name.len(), *name));
        let places: BTreeMap<usize, usize> =
            order.iter().enumerate().map(|(place, (_, index))| (*index, place)).collect();
        for one in &mut self.story.acquisitions {
            one.name = one.name.map(|name| places[&name]);
        }
        self.story.names = order.into_iter().map(|(name, _)| name).collect();
        self.story
    }
}
