//! Nodes with markers in a simulation, and clients that reach them over faulty links.

use std::sync::Arc;
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::{Node, Standing};
use redlock::testing::faulty::{Fault, FaultyNode, Op};
use redlock::testing::virtual_env::{ClientClock, ClientEnv, VirtualEnv};
use redlock::{AcquireError, LockGuard, LockName, Locks, OwnerToken, Protections};

/// The TTL of every lock, and the longest that there is.
pub(crate) const TTL: Duration = Duration::from_secs(10);
pub(crate) const NAME: &str = "a";

pub(crate) struct World {
    pub(crate) sim: VirtualEnv,
    pub(crate) nodes: Vec<Arc<MemoryNode>>,
}

/// One process: its links to the nodes and its locks.
pub(crate) struct Client {
    pub(crate) env: Arc<ClientEnv>,
    pub(crate) links: Vec<Arc<FaultyNode>>,
    pub(crate) locks: Locks,
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn name() -> LockName {
    LockName::new(NAME).unwrap()
}

impl World {
    /// Nodes without a marker.
    pub(crate) fn fresh(count: usize) -> Self {
        let sim = VirtualEnv::new(11);
        let node = |index| MemoryNode::guarded(format!("node-{index}"), sim.env(), Protections::default());
        let nodes = (0..count).map(node).collect();
        Self { sim, nodes }
    }

    /// Nodes that were initialised, and the client that did it.
    pub(crate) fn new(count: usize) -> (Self, Client) {
        let world = Self::fresh(count);
        let client = world.build(true);
        (world, client)
    }

    pub(crate) fn client(&self) -> Client {
        self.build(false)
    }

    fn build(&self, init: bool) -> Client {
        let env = self.sim.client(ClientClock::default());
        let link =
            |node: &Arc<MemoryNode>| FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, self.sim.env());
        let links: Vec<_> = self.nodes.iter().map(link).collect();
        let mut builder = Locks::builder().env(Arc::clone(&env) as Arc<dyn Env>).ttl(TTL).max_ttl(TTL);
        for link in &links {
            builder = builder.node(env.reach(Arc::clone(link) as Arc<dyn Node>));
        }
        let locks =
            self.sim.block_on(async { if init { builder.init().await } else { builder.build().await } });
        Client { env, links, locks: locks.unwrap() }
    }

    pub(crate) fn try_acquire(&self, client: &Client) -> Result<Option<LockGuard>, AcquireError> {
        self.sim.block_on(client.locks.lock(NAME).try_acquire())
    }

    /// Acquires, waiting for so long.
    pub(crate) fn acquire(&self, client: &Client, patience: Duration) -> Result<LockGuard, AcquireError> {
        self.sim.block_on(client.locks.lock(NAME).wait_at_most(patience).acquire())
    }

    /// On which nodes somebody has the lock.
    pub(crate) fn holders(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].is_held_by_anyone(&name())).collect()
    }

    pub(crate) fn is_admitted(&self, node: usize) -> bool {
        matches!(self.nodes[node].standing(), Standing::Marked(marker) if marker.floor.is_some())
    }
}

impl Client {
    /// Nothing that it sends to this node arrives any more.
    pub(crate) fn cut(&self, node: usize) {
        self.links[node].set(Fault::refuse());
    }

    /// The owner of its last acquisition.
    pub(crate) fn owner(&self) -> OwnerToken {
        let log = self.links[0].log();
        log.iter().rev().find(|event| event.op == Op::Acquire).unwrap().owner.unwrap()
    }

    pub(crate) fn asked(&self, node: usize, op: Op) -> usize {
        self.links[node].log().iter().filter(|event| event.op == op).count()
    }
}
