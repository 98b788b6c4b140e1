//! A node that is looked at: what it is asked and answers, and whether it may.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::{
    AcquireRequest, ClockReading, ExtendRequest, Identity, Incarnation, Inspection, Mark, MarkRequest, Node,
    NodeError, NodeErrorKind, NodeFuture, RaiseRequest, RefusalReason, ReleaseRequest, Released, Reply,
    Standing, Watch,
};
use redlock::{Instant, LockName, OwnerToken};

use crate::outcome::Record;
use crate::world::{NODES, QUORUM};

/// What the nodes of one world have in common.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) record: Mutex<Record>,
    /// Who has a name on each node, as the answers have it.
    owners: Mutex<BTreeMap<LockName, [Option<OwnerToken>; NODES]>>,
    /// When each node lost its memory last.
    pub(crate) lost: Mutex<[Option<Instant>; NODES]>,
    pub(crate) early_grants: Mutex<usize>,
    pub(crate) longest_ttl: Duration,
}

impl Ledger {
    pub(crate) fn new(longest_ttl: Duration) -> Arc<Self> {
        Arc::new(Self {
            record: Mutex::default(),
            owners: Mutex::default(),
            lost: Mutex::default(),
            early_grants: Mutex::default(),
            longest_ttl,
        })
    }

    pub(crate) fn count(&self, situation: &'static str) {
        self.record.lock().unwrap().count(situation);
    }

    fn owned(&self, node: usize, name: &LockName, owner: Option<OwnerToken>) {
        let mut owners = self.owners.lock().unwrap();
        let owners = owners.entry(name.clone()).or_default();
        owners[node] = owner;
        let votes = |owner: &Option<OwnerToken>| owners.iter().filter(|other| *other == owner).count();
        let most = owners.iter().filter(|owner| owner.is_some()).map(votes).max().unwrap_or(0);
        let all = owners.iter().flatten().count();
        if most < QUORUM && all > most && all >= QUORUM {
            self.count("split vote");
        }
    }
}

/// A node of the world.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) node: Arc<MemoryNode>,
    pub(crate) index: usize,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) ledger: Arc<Ledger>,
    /// Whether it tells when a lock becomes free; otherwise waiters poll.
    pub(crate) tells: bool,
}

impl Watched {
    pub(crate) fn is_admitted(&self) -> bool {
        matches!(self.node.standing(), Standing::Marked(marker) if marker.floor.is_some())
    }

    /// Notes an answer.
    fn note(&self, op: &'static str, name: &LockName, reply: &Reply) {
        let (granted, counter) = match reply {
            Reply::Granted(grant) => (true, grant.counter),
            Reply::Refused(refusal) => {
                match refusal.reason {
                    RefusalReason::Quarantined => self.ledger.count("quarantine"),
                    RefusalReason::Stale => self.ledger.count("stale refusal"),
                    _ => {}
                }
                (false, None)
            }
        };
        let event = (self.env.now().as_nanos(), self.index, op, name.as_bytes(), granted, counter);
        self.ledger.record.lock().unwrap().note(event);
    }

    fn granted(&self, name: &LockName, owner: OwnerToken) {
        self.ledger.owned(self.index, name, Some(owner));
        let lost = self.ledger.lost.lock().unwrap()[self.index];
        let until = lost.map(|lost| lost.saturating_add(self.ledger.longest_ttl));
        if until.is_some_and(|until| self.env.now() < until) {
            *self.ledger.early_grants.lock().unwrap() += 1;
        }
    }
}

impl Node for Watched {
    fn address(&self) -> &str {
        self.node.address()
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Arc::clone(&self.node).probe()
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        if self.tells {
            return Arc::clone(&self.node).watch(name);
        }
        let detail = "this node does not tell";
        let error = NodeError::without_effect(&self.address().into(), NodeErrorKind::Unsupported, detail);
        Box::pin(std::future::ready(Err(error)))
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let (name, owner) = (request.name.clone(), request.owner);
            let reply = Arc::clone(&self.node).acquire(request).await?;
            self.note("acquire", &name, &reply);
            if matches!(reply, Reply::Granted(_)) {
                self.granted(&name, owner);
            }
            Ok(reply)
        })
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let (name, owner) = (request.name.clone(), request.owner);
            let was_free = !self.node.is_held_by_anyone(&name);
            let reply = Arc::clone(&self.node).extend(request).await?;
            self.note("extend", &name, &reply);
            if was_free && matches!(reply, Reply::Granted(_)) {
                self.ledger.count("restore");
                self.ledger.owned(self.index, &name, Some(owner));
            }
            Ok(reply)
        })
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let name = request.name.clone();
            let reply = Arc::clone(&self.node).raise(request).await?;
            self.note("raise", &name, &reply);
            if matches!(reply, Reply::Granted(_)) {
                self.ledger.count("raise round");
            }
            Ok(reply)
        })
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        Box::pin(async move {
            let name = request.name.clone();
            let released = Arc::clone(&self.node).release(request).await?;
            if released.was_held {
                self.ledger.owned(self.index, &name, None);
            }
            let event = (self.env.now().as_nanos(), self.index, released.was_held, released.settled);
            self.ledger.record.lock().unwrap().note(event);
            Ok(released)
        })
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        Arc::clone(&self.node).inspect(name)
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
            let was_admitted = self.is_admitted();
            let mark = request.mark;
            let standing = Arc::clone(&self.node).mark(request).await?;
            match mark {
                // Nobody else marks a node that is in good order.
                Mark::Quarantine { .. } if was_admitted => self.ledger.count("clock moved"),
                Mark::Admit { .. } if self.is_admitted() && !was_admitted => {
                    self.ledger.count("admission with a floor from others");
                }
                _ => {}
            }
            self.ledger.record.lock().unwrap().note((self.env.now().as_nanos(), self.index, "mark"));
            Ok(standing)
        })
    }
}
