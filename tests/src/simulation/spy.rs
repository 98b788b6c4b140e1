//! A client's end of its way to a node: what it asks, and which answers it still hears.

use std::sync::Arc;

use redlock::env::Env;
use redlock::node::{
    Abilities, AcquireRequest, ClockReading, Examination, ExtendRequest, Identity, Incarnation, Inspection,
    MarkRequest, Node, NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply, Standing, Watch,
};
use redlock::testing::faulty::Op;
use redlock::{LockName, OwnerToken};

use super::event::{Asked, Event};
use super::ledger::Ledger;

/// Tells the ledger of acquires and extends, and changes nothing.
#[derive(Debug)]
pub(crate) struct Spy {
    pub(crate) inner: Arc<dyn Node>,
    pub(crate) client: usize,
    pub(crate) node: usize,
    pub(crate) ledger: Arc<Ledger>,
    /// The true time.
    pub(crate) env: Arc<dyn Env>,
}

impl Spy {
    fn inner(&self) -> Arc<dyn Node> {
        Arc::clone(&self.inner)
    }

    fn overhear(
        self: Arc<Self>,
        op: Op,
        name: LockName,
        owner: OwnerToken,
        call: impl FnOnce(Arc<dyn Node>) -> NodeFuture<Reply> + Send + 'static,
    ) -> NodeFuture<Reply> {
        Box::pin(async move {
            // On the first poll, which is what sends it.
            let asked = Asked { client: self.client, node: self.node, op, name, owner, sent: self.env.now() };
            self.ledger.tell(&Event::Asked(&asked));
            let answer = call(self.inner()).await;
            self.ledger.tell(&Event::Heard(&asked, &answer));
            answer
        })
    }
}

impl Node for Spy {
    fn address(&self) -> &str {
        self.inner.address()
    }

    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        self.inner().probe()
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        let (name, owner) = (request.name.clone(), request.owner);
        self.overhear(Op::Acquire, name, owner, |node| node.acquire(request))
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        let (name, owner) = (request.name.clone(), request.owner);
        self.overhear(Op::Extend, name, owner, |node| node.extend(request))
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
        self.inner.clock()
    }

    fn standing(&self) -> Standing {
        self.inner.standing()
    }

    fn incarnation(&self) -> Option<Incarnation> {
        self.inner.incarnation()
    }

    fn mark(self: Arc<Self>, request: MarkRequest) -> NodeFuture<Standing> {
        self.inner().mark(request)
    }
}
