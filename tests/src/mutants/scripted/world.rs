//! Three nodes in a simulation, and clients that reach them over faulty links.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::testing::faulty::{Fault, FaultyNode, Op};
use redlock::testing::virtual_env::{ClientClock, ClientEnv, VirtualEnv};
use redlock::{Held, Instant, LockGuard, LockName, Locks, LocksBuilder, Protections};

/// The TTL of every lock here, unless a scenario says otherwise.
pub(crate) const TTL: Duration = Duration::from_secs(10);

/// The name of the lock that all of this is about.
pub(crate) const NAME: &str = "a";

/// How many times a lease may be handed over.
pub(crate) const HANDOFF: u32 = 64;

pub(crate) struct World {
    pub(crate) sim: VirtualEnv,
    pub(crate) nodes: Vec<Arc<MemoryNode>>,
    protections: Protections,
    guarded: bool,
}

/// One process: its clock, its links to the nodes and its locks.
pub(crate) struct Client {
    pub(crate) env: Arc<ClientEnv>,
    pub(crate) links: Vec<Arc<FaultyNode>>,
    pub(crate) locks: Locks,
}

impl World {
    pub(crate) fn new(protections: Protections) -> Self {
        Self::with_nodes(3, protections)
    }

    pub(crate) fn with_nodes(count: usize, protections: Protections) -> Self {
        let sim = VirtualEnv::new(7);
        let node = |index| MemoryNode::with_protections(format!("node-{index}"), sim.env(), protections);
        let nodes = (0..count).map(node).collect();
        Self { sim, nodes, protections, guarded: false }
    }

    /// Three nodes that keep a marker, and a fleet of them that was initialised.
    pub(crate) fn guarded(protections: Protections) -> Self {
        let sim = VirtualEnv::new(7);
        let node = |index| MemoryNode::guarded(format!("node-{index}"), sim.env(), protections);
        let nodes = (0..3).map(node).collect();
        let world = Self { sim, nodes, protections, guarded: true };
        world.build(ClientClock::default(), true);
        world
    }

    /// The same, of which the first three are the fleet, and one more is there.
    pub(crate) fn with_a_spare_node(protections: Protections) -> Self {
        let mut world = Self::guarded(protections);
        world.nodes.push(MemoryNode::guarded("node-3", world.sim.env(), protections));
        world
    }

    /// A client with a list of nodes of its own, and the number of that node set.
    pub(crate) fn client_of(&self, list: &[usize], number: u64) -> Client {
        let (env, links, builder) = self.builder(ClientClock::default(), list);
        let locks = self.sim.block_on(builder.node_set(number).build()).unwrap();
        Client { env, links, locks }
    }

    /// What a client with this list would be built by, and its links to all nodes.
    pub(crate) fn builder(
        &self,
        clock: ClientClock,
        list: &[usize],
    ) -> (Arc<ClientEnv>, Vec<Arc<FaultyNode>>, LocksBuilder) {
        let env = self.sim.client(clock);
        let links: Vec<_> = self
            .nodes
            .iter()
            .map(|node| FaultyNode::new(Arc::clone(node) as Arc<dyn redlock::node::Node>, self.sim.env()))
            .collect();
        let mut builder = Locks::builder()
            .env(Arc::clone(&env) as Arc<dyn Env>)
            .protections(self.protections)
            .handoff(HANDOFF)
            .ttl(TTL)
            .max_ttl(if self.guarded { TTL } else { TTL * 10 });
        for &node in list {
            builder = builder.node(env.reach(Arc::clone(&links[node]) as Arc<dyn redlock::node::Node>));
        }
        (env, links, builder)
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with(ClientClock::default())
    }

    pub(crate) fn client_with(&self, clock: ClientClock) -> Client {
        self.build(clock, false)
    }

    fn build(&self, clock: ClientClock, init: bool) -> Client {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        let (env, links, builder) = self.builder(clock, &all);
        let locks = if init { builder.init().boxed() } else { builder.build().boxed() };
        let locks = self.sim.block_on(locks).unwrap();
        Client { env, links, locks }
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, millis: u64) {
        self.sim.advance(Duration::from_millis(millis));
    }

    /// So long after the true time of now.
    pub(crate) fn in_millis(&self, millis: u64) -> Instant {
        self.sim.now().saturating_add(Duration::from_millis(millis))
    }

    /// One attempt to take the lock.
    pub(crate) fn try_acquire(&self, client: &Client) -> Option<LockGuard> {
        self.sim.block_on(client.locks.lock(NAME).try_acquire()).unwrap()
    }

    /// One attempt to take the lock, on nodes that may not be able to say.
    pub(crate) fn take(&self, client: &Client) -> Option<LockGuard> {
        self.sim.block_on(client.locks.lock(NAME).try_acquire()).ok().flatten()
    }

    /// Whether any node has the lock for anybody.
    pub(crate) fn is_held_anywhere(&self) -> bool {
        let name = LockName::new(NAME).unwrap();
        self.nodes.iter().any(|node| node.is_held_by_anyone(&name))
    }
}

impl Client {
    /// From now on, every request of this operation meets this fault on every link.
    pub(crate) fn set_for(&self, op: Op, fault: &Fault) {
        self.links.iter().for_each(|link| link.set_for(op, fault.clone()));
    }
}

/// Whether both believe that they hold the lock now.
pub(crate) fn both_believe(one: &Held, other: &Held) -> bool {
    one.is_valid() && other.is_valid()
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
