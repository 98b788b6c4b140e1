//! Clients and memory nodes on virtual time, with faults between them.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use redlock::backend::memory::MemoryNode;
use redlock::node::{AcquireRequest, Node, Reply};
use redlock::testing::faulty::{FaultyNode, Op};
use redlock::testing::virtual_env::VirtualEnv;
use redlock::{Instant, LockGuard, LockName, Locks, LocksBuilder, OwnerToken, Ttl};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A simulation with some nodes in it.
pub(crate) struct World {
    pub(crate) sim: VirtualEnv,
    pub(crate) nodes: Vec<Arc<MemoryNode>>,
}

/// A client, and its own ways to the nodes.
pub(crate) struct Client {
    pub(crate) locks: Locks,
    pub(crate) ways: Vec<Arc<FaultyNode>>,
}

impl World {
    pub(crate) fn new(nodes: usize) -> Self {
        let sim = VirtualEnv::new(1);
        let nodes = (0..nodes).map(|index| MemoryNode::new(format!("node-{index}"), sim.env())).collect();
        Self { sim, nodes }
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with(|builder| builder)
    }

    pub(crate) fn client_with(&self, settings: impl FnOnce(LocksBuilder) -> LocksBuilder) -> Client {
        let ways: Vec<_> = self
            .nodes
            .iter()
            .map(|node| FaultyNode::new(Arc::clone(node) as Arc<dyn Node>, self.sim.env()))
            .collect();
        let builder = ways.iter().fold(Locks::builder().env(self.sim.env()), |builder, way| {
            builder.node(Arc::clone(way) as Arc<dyn Node>)
        });
        let locks = self.sim.block_on(settings(builder).build()).unwrap();
        Client { locks, ways }
    }

    /// What `future` returns; it must do so within `limit` of virtual time.
    pub(crate) fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> T {
        self.sim.block_on(async {
            match select(std::pin::pin!(future), self.sim.sleep(limit)).await {
                Either::Left((value, _)) => value,
                Either::Right(_) => panic!("not done within {limit:?}"),
            }
        })
    }

    /// A lock with this TTL, which is free.
    pub(crate) fn acquire(&self, client: &Client, name: &str, ttl: Duration) -> LockGuard {
        self.acquire_with(&client.locks, name, ttl)
    }

    pub(crate) fn acquire_with(&self, locks: &Locks, name: &str, ttl: Duration) -> LockGuard {
        self.within(SECOND, locks.lock(name).ttl(ttl).acquire()).unwrap()
    }

    /// Has somebody else take the name on one node.
    pub(crate) fn occupy(&self, node: usize, name: &str, ttl: Duration) {
        let owner = OwnerToken::from_bytes([0xee; OwnerToken::BYTES]);
        let (name, ttl) = (LockName::new(name).unwrap(), Ttl::new(ttl).unwrap());
        let request = AcquireRequest::new(name, owner, ttl, self.sim.now());
        let reply = self.sim.block_on(Arc::clone(&self.nodes[node]).acquire(request)).unwrap();
        assert!(matches!(reply, Reply::Granted(_)), "{reply:?}");
    }

    pub(crate) fn since(&self, start: Instant) -> Duration {
        self.sim.now().saturating_since(start)
    }

    /// How many nodes have the name.
    pub(crate) fn holders(&self, name: &str) -> usize {
        let name = LockName::new(name).unwrap();
        self.nodes.iter().filter(|node| node.is_held_by_anyone(&name)).count()
    }
}

impl Client {
    /// When requests of this kind came to any of its nodes, in order.
    pub(crate) fn arrivals(&self, op: Op) -> Vec<Instant> {
        let logs = self.ways.iter().flat_map(|way| way.log());
        let mut times: Vec<_> = logs.filter(|event| event.op == op).map(|event| event.at).collect();
        times.sort_unstable();
        times
    }
}
