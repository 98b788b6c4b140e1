//! A node on another clock than its client's.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::executor::Executor;
use crate::id::{Instant, LockName};
use crate::node::clock::NodeClock;
use crate::node::{
    Abilities, AcquireRequest, ClockReading, Examination, ExtendRequest, Identity, Incarnation, Inspection,
    MarkRequest, Node, NodeError, NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply, Standing, Watch,
};

/// Translates the deadlines of one client into the node's time with the estimate that the real backends use, and knows of the
/// node's clock what answers have shown.
pub(super) struct SkewedNode {
    node: Arc<dyn Node>,
    executor: Arc<Executor>,
    client: usize,
    clock: Mutex<NodeClock>,
}

impl SkewedNode {
    pub(super) fn new(node: Arc<dyn Node>, executor: Arc<Executor>, client: usize) -> Self {
        let node = Self { node, executor, client, clock: Mutex::default() };
        if let Some(reading) = node.node.clock() {
            let now = node.now();
            node.times().sample(reading.at(node.executor.now(None)), now, now);
        }
        node
    }

    fn now(&self) -> Instant {
        self.executor.now(Some(self.client))
    }

    fn times(&self) -> MutexGuard<'_, NodeClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer to a request of `sent` has come.
    fn sample(&self, sent: Instant) {
        if let Some(reading) = self.node.clock() {
            // The node's time when it answered.
            self.times().sample(reading.at(reading.taken), sent, self.now());
        }
    }

    /// Asks the node, and reads its clock off the answer.
    async fn ask<T>(&self, asked: NodeFuture<T>) -> Result<T, NodeError> {
        let sent = self.now();
        let answer = asked.await;
        if answer.is_ok() {
            self.sample(sent);
        }
        answer
    }

    fn deadline(&self, at: Instant) -> Instant {
        self.times().deadline(at).map_or(at, from_micros)
    }

    fn settled_after(&self, at: Instant) -> Instant {
        self.times().settled_after(at).map_or(at, from_micros)
    }
}

fn from_micros(micros: u64) -> Instant {
    Instant::from_nanos(micros.saturating_mul(1_000))
}

impl Node for SkewedNode {
    fn address(&self) -> &str {
        self.node.address()
    }

    fn abilities(&self) -> Abilities {
        self.node.abilities()
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Box::pin(async move { self.ask(Arc::clone(&self.node).probe()).await })
    }

    fn acquire(self: Arc<Self>, mut request: AcquireRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            request.deadline = self.deadline(request.deadline);
            self.ask(Arc::clone(&self.node).acquire(request)).await
        })
    }

    fn extend(self: Arc<Self>, mut request: ExtendRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            request.deadline = self.deadline(request.deadline);
            self.ask(Arc::clone(&self.node).extend(request)).await
        })
    }

    fn raise(self: Arc<Self>, mut request: RaiseRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            request.deadline = self.deadline(request.deadline);
            self.ask(Arc::clone(&self.node).raise(request)).await
        })
    }

    fn release(self: Arc<Self>, mut request: ReleaseRequest) -> NodeFuture<Released> {
        Box::pin(async move {
            request.unsettled = request.unsettled.map(|at| self.settled_after(at));
            self.ask(Arc::clone(&self.node).release(request)).await
        })
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        Arc::clone(&self.node).inspect(name)
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        Arc::clone(&self.node).watch(name)
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        Arc::clone(&self.node).examine()
    }

    fn clock(&self) -> Option<ClockReading> {
        self.times().latest()
    }

    fn standing(&self) -> Standing {
        self.node.standing()
    }

    fn incarnation(&self) -> Option<Incarnation> {
        self.node.incarnation()
    }

    fn mark(self: Arc<Self>, request: MarkRequest) -> NodeFuture<Standing> {
        Box::pin(async move { self.ask(Arc::clone(&self.node).mark(request)).await })
    }
}

impl fmt::Debug for SkewedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SkewedNode").field("node", &self.node).finish_non_exhaustive()
    }
}
