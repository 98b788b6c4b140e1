//! What is true at one moment of a run, whoever knows of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::Op;
use redlock::testing::virtual_env::VirtualEnv;
use redlock::{Held, Instant, LockName, OwnerToken};

use super::event::{Event, Ran};

/// The state of the world that invariants judge by.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) now: Instant,
    pub(crate) quorum: usize,
    pub(crate) longest_ttl: Duration,
    /// Nodes lose nothing and nobody sets their clocks: what they promised they keep.
    pub(crate) nodes_keep: bool,
    /// Everything that was acquired, in order.
    pub(crate) holds: Vec<Hold>,
    /// Those that may matter still.
    pub(crate) open: Vec<usize>,
    /// What each node has promised: who has a name there at least until when, in the node's time.
    pub(crate) promises: Vec<BTreeMap<LockName, Promise>>,
    /// When each node lost its memory last.
    pub(crate) forgot: Vec<Option<Instant>>,
    nodes: Vec<Arc<MemoryNode>>,
    /// The owner token under which a client asked for a name last.
    asked: BTreeMap<(usize, LockName), OwnerToken>,
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
    pub(crate) owner: Option<OwnerToken>,
    pub(crate) asked: Instant,
    pub(crate) acquired: Instant,
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

/// Who has a name on a node, and until when at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise {
    pub(crate) owner: OwnerToken,
    pub(crate) until: Instant,
}

impl Scene {
    pub(crate) fn new(
        nodes: Vec<Arc<MemoryNode>>,
        clients: usize,
        longest_ttl: Duration,
        nodes_keep: bool,
    ) -> Self {
        Self {
            now: VirtualEnv::START,
            quorum: nodes.len() / 2 + 1,
            longest_ttl,
            nodes_keep,
            holds: Vec::new(),
            open: Vec::new(),
            promises: vec![BTreeMap::new(); nodes.len()],
            forgot: vec![None; nodes.len()],
            nodes,
            asked: BTreeMap::new(),
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

    pub(crate) fn acquired(
        &mut self,
        client: usize,
        name: LockName,
        asked: Instant,
        held: Held,
        env: Arc<dyn Env>,
    ) -> usize {
        let owner = self.asked.get(&(client, name.clone())).copied();
        self.holds.push(Hold { name, client, owner, asked, acquired: self.now, held, env });
        let hold = self.holds.len() - 1;
        self.open.push(hold);
        hold
    }

    /// Takes in what happened.
    pub(crate) fn take_in(&mut self, event: &Event<'_>) {
        match event {
            Event::Asked(asked) if asked.op == Op::Acquire => {
                self.asked.insert((asked.client, asked.name.clone()), asked.owner);
            }
            Event::Asked(asked) => self.renewed[asked.client] = Some(self.now),
            Event::Ran(ran) if ran.granted() && ran.op != Op::Raise => self.promise(ran),
            Event::Released { node, name, was_held: true, .. } | Event::Deleted { node, name } => {
                self.promises[*node].remove(name);
            }
            Event::Forgot { node } => {
                self.promises[*node].clear();
                self.forgot[*node] = Some(self.now);
            }
            Event::Acquired { .. } => self.close_old_holds(),
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
