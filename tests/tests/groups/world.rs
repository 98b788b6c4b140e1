//! Two groups of three nodes on virtual time, and clients that know them.

use std::sync::Arc;
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::faulty::{Fault, FaultyNode};
use redlock::testing::virtual_env::{ClientClock, VirtualEnv};
use redlock::{LockGroups, Locks};

/// A name that moves when the group [`Sets::added`] comes to the group `m`.
pub(crate) struct Sets {
    pub(crate) added: &'static str,
    pub(crate) name: String,
}

impl Sets {
    /// The group that comes has a name that sorts before the old one's, or behind it.
    pub(crate) fn both() -> [Self; 2] {
        ["a", "z"].map(|added| {
            let locks = || futures::executor::block_on(Locks::builder().memory().build()).unwrap();
            let groups = LockGroups::new([("m", locks()), (added, locks())]).unwrap();
            let mut names = (0..).map(|number| format!("name-{number}"));
            Self { added, name: names.find(|name| groups.group_of(name) == added).unwrap() }
        })
    }
}

pub(crate) struct World {
    pub(crate) sim: VirtualEnv,
    pub(crate) old: Vec<Arc<MemoryNode>>,
    pub(crate) added: Vec<Arc<MemoryNode>>,
}

/// The same groups as one client has them, before a change, during it and after it.
pub(crate) struct Client {
    pub(crate) old: LockGroups,
    pub(crate) changing: LockGroups,
    pub(crate) new: LockGroups,
    pub(crate) env: Arc<dyn Env>,
}

pub(crate) const TTL: Duration = Duration::from_secs(1);

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let sim = VirtualEnv::new(seed);
        let nodes = |group: &str| {
            (0..3).map(|index| MemoryNode::new(format!("{group}-{index}"), sim.env())).collect()
        };
        Self { old: nodes("old"), added: nodes("added"), sim }
    }

    /// The clocks of the old group's nodes are an hour ahead of those that come.
    pub(crate) fn with_clocks_an_hour_apart(seed: u64) -> Self {
        let world = Self::new(seed);
        world.old.iter().for_each(|node| node.step_clock(3_600_000_000));
        world
    }

    pub(crate) fn client(&self, sets: &Sets) -> Client {
        let env = self.sim.client(ClientClock::default());
        let locks = |nodes: &[Arc<MemoryNode>]| {
            // Without the restart guard, which would object to clocks that are an hour apart.
            let env_of_client: Arc<dyn Env> = env.clone();
            let builder = Locks::builder().env(env_of_client).restart_guard(false).ttl(TTL);
            let builder = nodes.iter().fold(builder, |builder, node| {
                let link = FaultyNode::new(env.reach(Arc::clone(node) as Arc<dyn Node>), self.sim.env());
                link.set(Fault::delay(Duration::from_micros(50), Duration::from_millis(2)));
                builder.node(link)
            });
            self.sim.block_on(builder.build()).unwrap()
        };
        let (m, added) = (locks(&self.old), locks(&self.added));
        let old = LockGroups::new([("m", m.clone())]).unwrap();
        let new = LockGroups::new([("m", m), (sets.added, added)]).unwrap();
        let changing = LockGroups::changing(&old, &new).unwrap();
        Client { old, changing, new, env }
    }
}
