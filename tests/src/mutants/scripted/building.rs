//! What goes wrong on nodes on which no lock should be built.

use std::sync::Arc;

use futures::FutureExt;
use redlock::backend::memory::MemoryNode;
use redlock::node::{
    Abilities, AcquireRequest, ClockReading, Examination, ExtendRequest, FindingKind, Identity, Inspection,
    Node, NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply,
};
use redlock::{BuildError, LockName, Locks, Protections};

use super::world::{NAME, World, both_believe};

/// The memory of a node is full, and its policy is to evict keys.
pub(crate) fn handed_out_by_a_node_that_evicts(protections: Protections) -> bool {
    let world = World::with_nodes(1, protections);
    let client = || {
        let env = world.sim.client(Default::default());
        let node = env.reach(Arc::new(Evicting(Arc::clone(&world.nodes[0]))));
        world.sim.block_on(Locks::builder().env(env).protections(protections).node(node).build())
    };
    let (one, other) = match [client(), client()] {
        [Ok(one), Ok(other)] => (one, other),
        [Err(BuildError::Preflight { .. }), Err(BuildError::Preflight { .. })] => return false,
        other => panic!("{other:?}"),
    };
    let take = |locks: &Locks| world.sim.block_on(locks.lock(NAME).try_acquire()).unwrap();
    let first = take(&one).unwrap();
    world.nodes[0].evict(&LockName::new(NAME).unwrap());
    take(&other).is_some_and(|second| both_believe(&first, &second))
}

/// A node that says that it evicts keys.
#[derive(Debug)]
struct Evicting(Arc<MemoryNode>);

impl Evicting {
    fn inner(&self) -> Arc<dyn Node> {
        Arc::clone(&self.0) as Arc<dyn Node>
    }
}

impl Node for Evicting {
    fn address(&self) -> &str {
        self.0.address()
    }

    fn abilities(&self) -> Abilities {
        self.0.abilities()
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        self.inner().probe()
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        self.inner().acquire(request)
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        self.inner().extend(request)
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        self.inner().raise(request)
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        self.inner().release(request)
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        self.inner().inspect(name)
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        let evicts = FindingKind::Evicts { policy: "allkeys-lru".to_owned(), maxmemory: 1 };
        async { Ok(Examination::new(vec![evicts])) }.boxed()
    }

    fn clock(&self) -> Option<ClockReading> {
        self.0.clock()
    }
}
