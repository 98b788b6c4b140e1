//! A node that is looked at: what it runs, and what it answers.

use std::sync::Arc;

use redlock::backend::memory::MemoryNode;
use redlock::node::{
    Abilities, AcquireRequest, ClockReading, ExtendRequest, Identity, Incarnation, Inspection, MarkRequest,
    Node, NodeError, NodeErrorKind, NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply, Standing,
    Watch,
};
use redlock::testing::faulty::Op;
use redlock::{Instant, LockName, OwnerToken, Ttl};

use super::event::{Event, Ran};
use super::ledger::Ledger;
use super::scene::time_of;

/// A node of the world; it tells the ledger what it has run.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) node: Arc<MemoryNode>,
    pub(crate) index: usize,
    pub(crate) ledger: Arc<Ledger>,
    /// Whether it tells when a lock becomes free; otherwise waiters poll.
    pub(crate) tells: bool,
}

/// What a request is about.
struct About {
    op: Op,
    name: LockName,
    owner: OwnerToken,
    ttl: Ttl,
    deadline: Instant,
    span: u64,
}

impl Watched {
    pub(crate) fn is_admitted(&self) -> bool {
        self.floor().is_some()
    }

    fn floor(&self) -> Option<u64> {
        match self.node.standing() {
            Standing::Marked(marker) => marker.floor,
            _ => None,
        }
    }

    async fn look(&self, name: &LockName) -> Result<Inspection, NodeError> {
        Arc::clone(&self.node).inspect(name.clone()).await
    }

    /// Lets the node run a request, and tells what came of it.
    fn run(self: Arc<Self>, about: About, call: NodeFuture<Reply>) -> NodeFuture<Reply> {
        Box::pin(async move {
            let (node_time, floor) = (time_of(&self.node), self.floor().unwrap_or(0));
            let before = self.look(&about.name).await?;
            let reply = call.await?;
            let after = self.look(&about.name).await?;
            let About { op, name, owner, ttl, deadline, span } = about;
            let node = self.index;
            let ran =
                Ran { node, op, name, owner, ttl, deadline, node_time, floor, span, before, after, reply };
            self.ledger.tell(&Event::Ran(&ran));
            Ok(ran.reply)
        })
    }
}

impl Node for Watched {
    fn address(&self) -> &str {
        self.node.address()
    }

    fn abilities(&self) -> Abilities {
        self.node.abilities()
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Arc::clone(&self.node).probe()
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        let AcquireRequest { owner, ttl, deadline, .. } = request;
        let span = request.fence.as_ref().map_or(0, |fence| fence.span);
        let about = About { op: Op::Acquire, name: request.name.clone(), owner, ttl, deadline, span };
        let call = Arc::clone(&self.node).acquire(request);
        self.run(about, call)
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        let ExtendRequest { owner, ttl, deadline, .. } = request;
        let about = About { op: Op::Extend, name: request.name.clone(), owner, ttl, deadline, span: 0 };
        let call = Arc::clone(&self.node).extend(request);
        self.run(about, call)
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        let RaiseRequest { owner, ttl, deadline, .. } = request;
        let about = About { op: Op::Raise, name: request.name.clone(), owner, ttl, deadline, span: 0 };
        let call = Arc::clone(&self.node).raise(request);
        self.run(about, call)
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        Box::pin(async move {
            let (name, owner) = (request.name.clone(), request.owner);
            let released = Arc::clone(&self.node).release(request).await?;
            let was_held = released.was_held;
            self.ledger.tell(&Event::Released { node: self.index, name: &name, owner, was_held });
            Ok(released)
        })
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        Arc::clone(&self.node).inspect(name)
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        if self.tells {
            return Arc::clone(&self.node).watch(name);
        }
        let detail = "this node does not tell";
        let error = NodeError::without_effect(&self.address().into(), NodeErrorKind::Unsupported, detail);
        Box::pin(std::future::ready(Err(error)))
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
        Box::pin(async move {
            let (node, mark, was_admitted) = (self.index, request.mark, self.is_admitted());
            let standing = Arc::clone(&self.node).mark(request).await?;
            let is_admitted = self.is_admitted();
            self.ledger.tell(&Event::Marked { node, mark, was_admitted, is_admitted });
            Ok(standing)
        })
    }
}
