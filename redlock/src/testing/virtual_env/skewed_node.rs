//! A node on another clock than its client's.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::executor::Executor;
use crate::id::{Instant, LockName};
use crate::node::clock::NodeClock;
use crate::node::{
    AcquireRequest, ExtendRequest, Identity, Inspection, Node, NodeFuture, RaiseRequest, ReleaseRequest,
    Released, Reply, Watch,
};

/// Translates the deadlines of one client into true time with the estimate that the real backends use. The samples have
/// no round trip; what is left of an error is the rate of the client's clock.
pub(super) struct SkewedNode {
    node: Arc<dyn Node>,
    executor: Arc<Executor>,
    client: usize,
    clock: Mutex<NodeClock>,
}

impl SkewedNode {
    pub(super) fn new(node: Arc<dyn Node>, executor: Arc<Executor>, client: usize) -> Self {
        Self { node, executor, client, clock: Mutex::default() }
    }

    fn sampled(&self) -> MutexGuard<'_, NodeClock> {
        let (node, client) = (self.executor.now(None), self.executor.now(Some(self.client)));
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.sample(node.as_nanos() / 1_000, client, client);
        clock
    }

    fn deadline(&self, at: Instant) -> Instant {
        self.sampled().deadline(at).map_or(at, from_micros)
    }

    fn settled_after(&self, at: Instant) -> Instant {
        self.sampled().settled_after(at).map_or(at, from_micros)
    }
}

fn from_micros(micros: u64) -> Instant {
    Instant::from_nanos(micros.saturating_mul(1_000))
}

impl Node for SkewedNode {
    fn address(&self) -> &str {
        self.node.address()
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Arc::clone(&self.node).probe()
    }

    fn acquire(self: Arc<Self>, mut request: AcquireRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            request.deadline = self.deadline(request.deadline);
            Arc::clone(&self.node).acquire(request).await
        })
    }

    fn extend(self: Arc<Self>, mut request: ExtendRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            request.deadline = self.deadline(request.deadline);
            Arc::clone(&self.node).extend(request).await
        })
    }

    fn raise(self: Arc<Self>, mut request: RaiseRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            request.deadline = self.deadline(request.deadline);
            Arc::clone(&self.node).raise(request).await
        })
    }

    fn release(self: Arc<Self>, mut request: ReleaseRequest) -> NodeFuture<Released> {
        Box::pin(async move {
            request.unsettled = request.unsettled.map(|at| self.settled_after(at));
            Arc::clone(&self.node).release(request).await
        })
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        Arc::clone(&self.node).inspect(name)
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        Arc::clone(&self.node).watch(name)
    }

    fn clock(&self) -> Option<u64> {
        self.sampled().at(self.executor.now(Some(self.client)))
    }
}

impl fmt::Debug for SkewedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SkewedNode").field("node", &self.node).finish_non_exhaustive()
    }
}
