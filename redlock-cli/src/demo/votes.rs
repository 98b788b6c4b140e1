//! Counts how a node answers the requests for its vote.

use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};

use redlock::LockName;
use redlock::node::{
    Abilities, AcquireRequest, ClockReading, Examination, ExtendRequest, Identity, Incarnation, Inspection,
    MarkRequest, Node, NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply, Standing, Watch,
};

/// The answers of one node to acquire requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Votes {
    pub(super) granted: u64,
    pub(super) refused: u64,
    /// Not answered in time, or with an error.
    pub(super) failed: u64,
}

impl AddAssign for Votes {
    fn add_assign(&mut self, other: Self) {
        self.granted += other.granted;
        self.refused += other.refused;
        self.failed += other.failed;
    }
}

/// A node that keeps count of its votes.
#[derive(Debug)]
pub(super) struct CountedNode {
    node: Arc<dyn Node>,
    votes: Mutex<Votes>,
}

impl CountedNode {
    pub(super) fn new(node: Arc<dyn Node>) -> Arc<Self> {
        Arc::new(Self { node, votes: Mutex::default() })
    }

    pub(super) fn votes(&self) -> Votes {
        *self.votes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inner(&self) -> Arc<dyn Node> {
        Arc::clone(&self.node)
    }
}

impl Node for CountedNode {
    fn address(&self) -> &str {
        self.node.address()
    }

    fn abilities(&self) -> Abilities {
        self.node.abilities()
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        self.inner().probe()
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let mut vote = Vote { node: &self, counted: Votes { failed: 1, ..Votes::default() } };
            let answer = self.inner().acquire(request).await;
            vote.counted = match answer {
                Ok(Reply::Granted(_)) => Votes { granted: 1, ..Votes::default() },
                Ok(Reply::Refused(_)) => Votes { refused: 1, ..Votes::default() },
                Err(_) => vote.counted,
            };
            answer
        })
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

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        self.inner().watch(name)
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        self.inner().examine()
    }

    fn clock(&self) -> Option<ClockReading> {
        self.node.clock()
    }

    fn standing(&self) -> Standing {
        self.node.standing()
    }

    fn incarnation(&self) -> Option<Incarnation> {
        self.node.incarnation()
    }

    fn mark(self: Arc<Self>, request: MarkRequest) -> NodeFuture<Standing> {
        Arc::clone(&self.node).mark(request)
    }
}

/// Counted when dropped, so that a request which nobody waits for any more counts too: as failed.
struct Vote<'a> {
    node: &'a CountedNode,
    counted: Votes,
}

impl Drop for Vote<'_> {
    fn drop(&mut self) {
        *self.node.votes.lock().unwrap_or_else(PoisonError::into_inner) += self.counted;
    }
}
