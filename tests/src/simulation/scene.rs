//! What is true at one moment of a run, whoever knows of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::Op;
use redlock::testing::virtual_env::VirtualEnv;
use redlock::{Held, Instant, LockName, OwnerToken, Term};

use super::event::{Event, Ran};
use super::office::Office;

/// The state of the world that invariants judge by.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) now: Instant,
    pub(crate) quorum: usize,
    pub(crate) longest_ttl: Duration,
    /// How many times each client may hand a lease over.
    pub(crate) bounds: Vec<usize>,
    /// Nodes lose nothing and nobody sets their clocks: what they promised they keep.
    pub(crate) nodes_keep: bool,
    /// Everything that was acquired, in order.
    pub(crate) holds: Vec<Hold>,
    /// Those that may matter still.
    pub(crate) open: Vec<usize>,
    /// Every leadership, in order.
    pub(crate) offices: Vec<Office>,
    /// Nothing goes wrong any more.
    pub(crate) is_calm: bool,
    /// Which clients are dead.
    pub(crate) crashed: Vec<bool>,
    /// What each node has promised: who has a name there at least until when, in the node's time.
    pub(crate) promises: Vec<BTreeMap<LockName, Promise>>,
    /// When each node lost its memory last.
    pub(crate) forgot: Vec<Option<Instant>>,
    /// Who waits in the lines of clients, in the order in which they came.
    pub(crate) lines: Vec<InLine>,
    /// Everybody who waited in line has a number.
    places: u64,
    /// Leases that their last holder has let go of and that are extended all the same: they wait for their next holder.
    pub(crate) between: Vec<(OwnerToken, usize)>,
    /// Where each node's fencing counters stand.
    pub(crate) counters: Vec<BTreeMap<LockName, u64>>,
    nodes: Vec<Arc<MemoryNode>>,
    /// Until when a client's clock stood still last.
    stopped: Vec<Option<Instant>>,
    /// Until when a client was paused last.
    pub(crate) paused: Vec<Instant>,
    /// When each client has sent an extend last.
    pub(crate) renewed: Vec<Option<Instant>>,
    /// What was asked for before this point may be wrong about the time, or may have been taken away.
    excused: Instant,
}

/// A lock that was acquired.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) name: LockName,
    pub(crate) client: usize,
    pub(crate) owner: OwnerToken,
    /// It came from another holder of the same process: the how manieth hand-over of the lease this was.
    pub(crate) handed: usize,
    /// Where it was in its line.
    pub(crate) place: Option<u64>,
    pub(crate) asked: Instant,
    pub(crate) acquired: Instant,
    pub(crate) let_go: Option<Instant>,
    pub(crate) held: Held,
    /// Whose clock it goes by.
    pub(crate) env: Arc<dyn Env>,
}

impl Hold {
    /// Whether its validity has ended by its own clock.
    pub(crate) fn is_past(&self) -> bool {
        self.env.now() >= self.held.valid_until()
    }
}

/// Somebody who waits in the line of a client.
#[derive(Debug)]
pub(crate) struct InLine {
    pub(crate) place: u64,
    pub(crate) client: usize,
    pub(crate) name: LockName,
    /// It waits no longer than that, by its own clock.
    pub(crate) until: Instant,
    env: Arc<dyn Env>,
}

impl InLine {
    /// Whether it has waited long enough: it gives up as soon as it gets to run.
    pub(crate) fn is_late(&self) -> bool {
        self.env.now() >= self.until
    }
}

/// Who has a name on a node, and until when at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise {
    pub(crate) owner: OwnerToken,
    pub(crate) until: Instant,
}

impl Scene {
    pub(crate) fn new(
        nodes: Vec<Arc<MemoryNode>>,
        bounds: Vec<usize>,
        longest_ttl: Duration,
        nodes_keep: bool,
    ) -> Self {
        let clients = bounds.len();
        Self {
            bounds,
            now: VirtualEnv::START,
            quorum: nodes.len() / 2 + 1,
            longest_ttl,
            nodes_keep,
            holds: Vec::new(),
            open: Vec::new(),
            offices: Vec::new(),
            is_calm: false,
            crashed: vec![false; clients],
            promises: vec![BTreeMap::new(); nodes.len()],
            forgot: vec![None; nodes.len()],
            lines: Vec::new(),
            places: 0,
            between: Vec::new(),
            counters: vec![BTreeMap::new(); nodes.len()],
            nodes,
            stopped: vec![None; clients],
            paused: vec![VirtualEnv::START; clients],
            renewed: vec![None; clients],
            excused: VirtualEnv::START,
        }
    }

    /// The time that a node's clock shows.
    pub(crate) fn node_time(&self, node: usize) -> Instant {
        time_of(&self.nodes[node])
    }

    /// Who has a name on a node now, as it has promised.
    pub(crate) fn promised(&self, node: usize, name: &LockName) -> Option<Promise> {
        let now = self.node_time(node);
        self.promises[node].get(name).filter(|promise| now < promise.until).copied()
    }

    /// On how many nodes an owner has a name.
    pub(crate) fn nodes_of(&self, name: &LockName, owner: OwnerToken) -> usize {
        let has = |&node: &usize| self.promised(node, name).is_some_and(|promise| promise.owner == owner);
        (0..self.promises.len()).filter(has).count()
    }

    /// The holds that may matter still.
    pub(crate) fn open_holds(&self) -> impl Iterator<Item = (usize, &Hold)> {
        self.open.iter().map(|&hold| (hold, &self.holds[hold]))
    }

    /// Whether a lock may be wrong about the time, or was taken away, through no fault of the library.
    pub(crate) fn is_excused(&self, hold: &Hold) -> bool {
        self.stopped[hold.client].is_some_and(|until| hold.asked < until) || hold.asked < self.excused
    }

    /// Excuses whatever was asked for until now.
    pub(crate) fn excuse(&mut self) {
        self.excused = self.now;
        self.forgot.fill(None);
    }

    pub(crate) fn paused(&mut self, client: usize, until: Instant) {
        self.paused[client] = self.paused[client].max(until);
    }

    pub(crate) fn stopped(&mut self, client: usize, until: Instant) {
        self.stopped[client] = self.stopped[client].max(Some(until));
    }

    /// Somebody begins to wait in line; returns its place.
    pub(crate) fn waits(&mut self, client: usize, name: LockName, until: Instant, env: Arc<dyn Env>) -> u64 {
        self.places += 1;
        self.lines.push(InLine { place: self.places, client, name, until, env });
        self.places
    }

    /// Who is first in the line of a client.
    pub(crate) fn first_in_line(&self, client: usize, name: &LockName) -> Option<u64> {
        let line = self.lines.iter().filter(|one| one.client == client && one.name == *name);
        line.map(|one| one.place).min()
    }

    pub(crate) fn acquired(
        &mut self,
        client: usize,
        name: LockName,
        place: Option<u64>,
        asked: Instant,
        held: Held,
        env: Arc<dyn Env>,
    ) -> usize {
        let owner = redlock::testing::owner_of(&held);
        let before = self.holds.iter().rev().find(|hold| hold.client == client && hold.owner == owner);
        let handed = before.map_or(0, |before| before.handed + 1);
        let acquired = self.now;
        self.holds.push(Hold {
            name,
            client,
            owner,
            handed,
            place,
            asked,
            acquired,
            let_go: None,
            held,
            env,
        });
        let hold = self.holds.len() - 1;
        self.open.push(hold);
        hold
    }

    pub(crate) fn led(&mut self, client: usize, term: Term, delay: Duration, env: Arc<dyn Env>) -> usize {
        self.offices.push(Office { client, term, delay, works: true, left: None, env });
        self.offices.len() - 1
    }

    /// Takes in what happened.
    pub(crate) fn take_in(&mut self, event: &Event<'_>) {
        match event {
            Event::Asked(asked) if asked.op == Op::Extend => {
                self.renewed[asked.client] = Some(self.now);
                let last = self.open.iter().rev().map(|&hold| &self.holds[hold]);
                let last =
                    last.filter(|hold| hold.owner == asked.owner).find(|hold| hold.client == asked.client);
                if last.is_some_and(|last| last.let_go.is_some()) {
                    self.between.push((asked.owner, asked.client));
                }
            }
            Event::Ran(ran) if ran.granted() => {
                self.counters[ran.node].insert(ran.name.clone(), ran.after.counter.unwrap_or(0));
                if ran.op != Op::Raise {
                    self.promise(ran);
                }
            }
            Event::Released { node, name, owner, was_held: true } => {
                self.promises[*node].remove(name);
                self.between.retain(|(between, _)| between != owner);
            }
            Event::Deleted { node, name } => {
                self.promises[*node].remove(name);
            }
            Event::Forgot { node } => {
                self.promises[*node].clear();
                self.counters[*node].clear();
                self.forgot[*node] = Some(self.now);
            }
            Event::Acquired { hold } => {
                let &Hold { place, owner, .. } = &self.holds[*hold];
                self.between.retain(|(between, _)| *between != owner);
                self.lines.retain(|one| Some(one.place) != place);
                self.close_old_holds();
            }
            Event::Left { place } => self.lines.retain(|one| one.place != *place),
            Event::Crashed { client } => self.crashed[*client] = true,
            Event::WorkEnded { office } => {
                let office = &mut self.offices[*office];
                office.works = false;
                office.left = (!self.crashed[office.client]).then_some(self.now);
            }
            Event::LetGo { hold } => self.holds[*hold].let_go = Some(self.now),
            _ => {}
        }
    }

    fn promise(&mut self, ran: &Ran) {
        let until = ran.node_time.saturating_add(ran.ttl.get());
        let earlier = self.promises[ran.node].get(&ran.name).copied();
        let own = earlier.filter(|earlier| earlier.owner == ran.owner && ran.node_time < earlier.until);
        let until = own.map_or(until, |own| own.until.max(until));
        self.promises[ran.node].insert(ran.name.clone(), Promise { owner: ran.owner, until });
    }

    /// What has been over for long cannot come back.
    fn close_old_holds(&mut self) {
        let (holds, now) = (&self.holds, self.now);
        let long = Duration::from_secs(3);
        self.open
            .retain(|&hold| holds[hold].held.is_valid() || now.saturating_since(holds[hold].acquired) < long);
    }
}

/// The time that a node's clock shows.
pub(crate) fn time_of(node: &MemoryNode) -> Instant {
    let reading = node.clock().expect("a node in memory has a clock");
    Instant::from_nanos(reading.at(reading.taken) * 1_000)
}
