//! Five nodes on virtual time, and candidates that can be cut off, stopped and killed.

use std::sync::Arc;
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::{Fault, FaultyNode};
use redlock::testing::virtual_env::{ClientClock, ClientEnv, VirtualEnv};
use redlock::{Election, Leadership, LockName, Locks, LocksBuilder, Protections};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const TTL: Duration = Duration::from_secs(4);

/// The election of all these tests.
pub(crate) const NAME: &str = "chief";

pub(crate) struct World {
    pub(crate) sim: VirtualEnv,
    pub(crate) nodes: Vec<Arc<MemoryNode>>,
}

/// A process: its environment, its ways to the nodes, and its candidate.
pub(crate) struct Process {
    pub(crate) env: Arc<ClientEnv>,
    pub(crate) links: Vec<Arc<FaultyNode>>,
    pub(crate) locks: Locks,
    pub(crate) election: Election,
}

impl World {
    pub(crate) fn new() -> Self {
        let sim = VirtualEnv::new(1);
        let nodes = (0..5).map(|index| MemoryNode::new(format!("node-{index}"), sim.env())).collect();
        Self { sim, nodes }
    }

    pub(crate) fn process(&self) -> Process {
        self.process_with(|builder| builder, |election| election)
    }

    pub(crate) fn process_without(&self, safeguard: &str) -> Process {
        let protections = Protections::without(safeguard).unwrap();
        self.process_with(|builder| builder.protections(protections), |election| election)
    }

    /// A round trip of 2 ms away from every node.
    pub(crate) fn process_with(
        &self,
        locks: impl FnOnce(LocksBuilder) -> LocksBuilder,
        election: impl FnOnce(Election) -> Election,
    ) -> Process {
        let env = self.sim.client(ClientClock::default());
        let link = |node: &Arc<MemoryNode>| {
            let node = env.reach(Arc::clone(node) as Arc<dyn Node>);
            let link = FaultyNode::new(node, Arc::clone(&env) as Arc<dyn Env>);
            link.set(Fault::delay(MS, MS));
            link
        };
        let links: Vec<_> = self.nodes.iter().map(link).collect();
        let builder = Locks::builder().env(Arc::clone(&env) as Arc<dyn Env>).ttl(TTL);
        let builder =
            links.iter().fold(builder, |builder, link| builder.node(Arc::clone(link) as Arc<dyn Node>));
        let locks = self.sim.block_on(locks(builder).build()).unwrap();
        let election = election(locks.election(NAME));
        Process { env, links, locks, election }
    }

    /// How many nodes have a leader's lock.
    pub(crate) fn holders(&self) -> usize {
        let name = LockName::new(NAME).unwrap();
        self.nodes.iter().filter(|node| node.is_held_by_anyone(&name)).count()
    }

    pub(crate) fn campaign(&self, process: &Process) -> Leadership {
        self.sim.block_on(process.election.campaign()).unwrap()
    }
}

impl Process {
    /// No request reaches a node any more.
    pub(crate) fn cut_off(&self) {
        self.links.iter().for_each(|link| link.set(Fault::drop_request()));
    }

    pub(crate) fn reconnect(&self) {
        self.links.iter().for_each(|link| link.set(Fault::delay(MS, MS)));
    }
}
