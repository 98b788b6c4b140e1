//! A node behind a network and a server that misbehave, as a test scripts them or at random.

mod fault;
mod link;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use futures::future::{Either, pending, select};

use crate::env::Env;
use crate::id::{Instant, LockName, OwnerToken};
use crate::node::{
    Abilities, AcquireRequest, ClockReading, Effect, Examination, ExtendRequest, Identity, Incarnation,
    Inspection, MarkRequest, Node, NodeError, NodeErrorKind, NodeFuture, RaiseRequest, ReleaseRequest,
    Released, Reply, Standing, Watch,
};
use fault::Fate;
use link::{Job, Links};

pub use fault::{Delay, Fault};

/// One client's way to a node, with faults on it.
///
/// A request is on its way from the first poll of its future, and takes effect also when that future is dropped. Requests
/// of one connection arrive in the order in which they were sent, whatever their delays. Give each client a `FaultyNode`
/// of its own, and the world's environment to all of them: a network does not stop when a client does.
pub struct FaultyNode {
    node: Arc<dyn Node>,
    env: Arc<dyn Env>,
    address: Arc<str>,
    script: Mutex<Script>,
    links: Mutex<Links>,
    log: Mutex<Vec<Event>>,
    seen: Mutex<Seen>,
}

/// What answers have shown of the node: a backend knows no more of a distant server.
#[derive(Debug, Clone, Copy)]
struct Seen {
    clock: Option<ClockReading>,
    standing: Standing,
    incarnation: Option<Incarnation>,
}

impl Seen {
    fn of(node: &dyn Node) -> Self {
        Self { clock: node.clock(), standing: node.standing(), incarnation: node.incarnation() }
    }
}

/// The operations of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// [`Node::probe`]
    Probe,
    /// [`Node::mark`].
    Mark,
    /// [`Node::acquire`]
    Acquire,
    /// [`Node::extend`]
    Extend,
    /// [`Node::raise`]
    Raise,
    /// [`Node::release`]
    Release,
    /// [`Node::inspect`]
    Inspect,
    /// [`Node::examine`]
    Examine,
    /// [`Node::watch`]
    Watch,
    /// What a watch tells, on its way from the node.
    Notify,
}

/// An operation that reached the node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When, on the clock of the `FaultyNode`'s environment.
    pub at: Instant,
    /// Which operation.
    pub op: Op,
    /// The lock it was about; `None` for a probe or an examination.
    pub name: Option<LockName>,
    /// The owner it named; `None` for those that name none.
    pub owner: Option<OwnerToken>,
}

#[derive(Default)]
struct Script {
    next: BTreeMap<Op, VecDeque<Fault>>,
    per_op: BTreeMap<Op, Weighted>,
    all: Weighted,
}

/// Faults with their weights.
type Weighted = Vec<(u32, Fault)>;

impl FaultyNode {
    /// `node`, with no faults yet. `env` delays the requests and carries them on when nobody waits for them.
    pub fn new(node: Arc<dyn Node>, env: Arc<dyn Env>) -> Arc<Self> {
        Arc::new(Self {
            address: node.address().into(),
            seen: Mutex::new(Seen::of(&*node)),
            node,
            env,
            script: Mutex::default(),
            links: Mutex::new(Links::new()),
            log: Mutex::default(),
        })
    }

    /// From now on, every request meets this fault. Replaces what was set for all or for single operations.
    pub fn set(&self, fault: Fault) {
        self.set_random([(1, fault)]);
    }

    /// From now on, every request of this operation meets this fault.
    pub fn set_for(&self, op: Op, fault: Fault) {
        self.script().per_op.insert(op, vec![(1, fault)]);
    }

    /// From now on, every request meets one of these faults, drawn by weight from the environment's random source.
    /// Replaces what was set for all or for single operations.
    pub fn set_random(&self, faults: impl IntoIterator<Item = (u32, Fault)>) {
        let mut script = self.script();
        script.per_op.clear();
        script.all = faults.into_iter().collect();
    }

    /// The next request of this operation for which nothing is scripted yet meets this fault; it comes before anything
    /// that was set.
    pub fn next(&self, op: Op, fault: Fault) {
        self.script().next.entry(op).or_default().push_back(fault);
    }

    /// The server stops, as by SIGSTOP: connections are taken and requests queue up; none is answered.
    pub fn hang(&self) {
        self.links().hang();
    }

    /// The server goes on and runs what has queued up, in order.
    pub fn resume(self: &Arc<Self>) {
        let idle = self.links().resume();
        idle.into_iter().for_each(|link| self.start_carrying(link));
    }

    /// The connection breaks: whoever waits gets [`NodeErrorKind::Disconnected`]. What was on its way arrives all the
    /// same, and what is sent from now on, over a new connection, may overtake it.
    pub fn break_connection(&self) {
        let broken = self.links().break_current();
        drop(broken);
    }

    /// The operations that have reached the node, in their order there.
    pub fn log(&self) -> Vec<Event> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault_for(&self, op: Op) -> Fault {
        let mut script = self.script();
        if let Some(fault) = script.next.get_mut(&op).and_then(VecDeque::pop_front) {
            return fault;
        }
        let faults = script.per_op.get(&op).unwrap_or(&script.all);
        let total: u64 = faults.iter().map(|(weight, _)| u64::from(*weight)).sum();
        if total == 0 {
            return Fault::none();
        }
        let mut left = if faults.len() == 1 { 0 } else { crate::env::jitter(&*self.env) % total };
        let chosen = faults.iter().find(|(weight, _)| {
            let hit = left < u64::from(*weight);
            left = left.saturating_sub(u64::from(*weight));
            hit
        });
        chosen.map_or_else(Fault::none, |(_, fault)| fault.clone())
    }

    /// Sends a request; `call` runs it on the node.
    async fn send<T: Send + 'static>(
        self: Arc<Self>,
        what: Subject,
        call: impl Fn(Arc<dyn Node>) -> NodeFuture<T> + Send + Sync + 'static,
    ) -> Result<T, NodeError> {
        let fault = self.fault_for(what.op);
        if matches!(fault.fate, Fate::Refuse) {
            return Err(self.error(NodeErrorKind::Unreachable, Effect::None, "connection refused"));
        }
        let (reply, answered) = oneshot::channel();
        let (before, after) = (fault.before.draw(&*self.env), fault.after.draw(&*self.env));
        let node = Arc::clone(&self);
        let what = Subject { judged: self.seen().standing, ..what };
        let run = Box::pin(async move {
            let Some(result) = node.deliver(&what, &fault.fate, &call).await else { return };
            let seen = Seen::of(&*node.node);
            if !after.is_zero() {
                node.env.sleep_until(node.env.now().saturating_add(after)).await;
            }
            node.learn(seen);
            // Whoever asked may have gone.
            let _ = reply.send(result);
        });
        let arrives = self.env.now().saturating_add(before);
        let sent = self.links().send(Job { arrives, run });
        let Some(sent) = sent else {
            return Err(self.error(NodeErrorKind::Overloaded, Effect::None, "too many requests are queued"));
        };
        if sent.link_is_idle {
            self.start_carrying(sent.link);
        }
        let answered = pin!(async {
            match answered.await {
                Ok(result) => result,
                // The request or its reply was lost: nobody will ever say.
                Err(oneshot::Canceled) => pending().await,
            }
        });
        match select(answered, sent.broken).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                Err(self.error(NodeErrorKind::Disconnected, Effect::Unknown, "the connection broke"))
            }
        }
    }

    /// What happens to a request that has arrived. `None`: there is no reply.
    async fn deliver<T: Send + 'static>(
        self: &Arc<Self>,
        what: &Subject,
        fate: &Fate,
        call: &(impl Fn(Arc<dyn Node>) -> NodeFuture<T> + Sync),
    ) -> Option<Result<T, NodeError>> {
        match fate {
            Fate::Deliver => Some(self.call(what, call).await),
            Fate::DropRequest | Fate::Refuse => None,
            Fate::DropReply => {
                // The node's answer, good or bad, is lost.
                let _ = self.call(what, call).await;
                None
            }
            Fate::Fail(kind, effect) => Some(Err(self.error(*kind, *effect, "a fault was asked for"))),
            Fate::FailAfterEffect(kind) => {
                let _ = self.call(what, call).await;
                Some(Err(self.error(*kind, Effect::Unknown, "a fault was asked for")))
            }
            Fate::Duplicate(later) => {
                let first = self.call(what, call).await;
                let (node, what, second) = (Arc::clone(self), what.clone(), call(Arc::clone(&self.node)));
                let later = later.draw(&*self.env);
                if later.is_zero() {
                    // On its heels: nothing that was sent later runs in between.
                    self.note(&what);
                    if !what.is_outdated(self.node.standing()) {
                        let _ = second.await;
                    }
                    return Some(first);
                }
                self.env.spawn(Box::pin(async move {
                    node.env.sleep_until(node.env.now().saturating_add(later)).await;
                    node.note(&what);
                    if !what.is_outdated(node.node.standing()) {
                        // Nobody waits for the second answer.
                        let _ = second.await;
                    }
                }));
                Some(first)
            }
        }
    }

    async fn call<T>(
        &self,
        what: &Subject,
        call: &(impl Fn(Arc<dyn Node>) -> NodeFuture<T> + Sync),
    ) -> Result<T, NodeError> {
        self.note(what);
        if what.is_outdated(self.node.standing()) {
            let detail = "the node has another marker";
            return Err(self.error(NodeErrorKind::NotReady, Effect::None, detail));
        }
        call(Arc::clone(&self.node)).await
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what an answer shows, unless a later one was quicker.
    fn learn(&self, new: Seen) {
        let mut seen = self.seen();
        let taken = |seen: &Seen| seen.clock.map(|clock| clock.taken);
        if taken(&new) >= taken(&seen) {
            *seen = new;
        }
    }

    fn note(&self, what: &Subject) {
        let event = Event { at: self.env.now(), op: what.op, name: what.name.clone(), owner: what.owner };
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    fn error(&self, kind: NodeErrorKind, effect: Effect, detail: &str) -> NodeError {
        match effect {
            Effect::None => NodeError::without_effect(&self.address, kind, detail),
            Effect::Unknown => NodeError::with_unknown_effect(&self.address, kind, detail),
        }
    }
}

/// What a request is about.
#[derive(Clone)]
struct Subject {
    op: Op,
    name: Option<LockName>,
    owner: Option<OwnerToken>,
    /// What was known of the node's memory when it was sent.
    judged: Standing,
}

impl Subject {
    fn new(op: Op, name: Option<&LockName>, owner: Option<OwnerToken>) -> Self {
        Self { op, name: name.cloned(), owner, judged: Standing::Unknown }
    }

    /// Whether it names a marker that is not there any more: a backend sends the marker that it has judged along with whatever
    /// gives, prolongs or marks. A node without one judges for itself.
    fn is_outdated(&self, now: Standing) -> bool {
        let names_marker = matches!(self.op, Op::Acquire | Op::Extend | Op::Raise | Op::Mark);
        names_marker && matches!(now, Standing::Marked(_)) && now != self.judged
    }
}

impl Node for FaultyNode {
    fn address(&self) -> &str {
        &self.address
    }

    fn abilities(&self) -> Abilities {
        // What it delays needs polls of its own.
        Abilities { wakes_when_answered: false, ..self.node.abilities() }
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Box::pin(self.send(Subject::new(Op::Probe, None, None), |node| node.probe()))
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        let what = Subject::new(Op::Acquire, Some(&request.name), Some(request.owner));
        Box::pin(self.send(what, move |node| node.acquire(request.clone())))
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        let what = Subject::new(Op::Extend, Some(&request.name), Some(request.owner));
        Box::pin(self.send(what, move |node| node.extend(request.clone())))
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        let what = Subject::new(Op::Raise, Some(&request.name), Some(request.owner));
        Box::pin(self.send(what, move |node| node.raise(request.clone())))
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        let what = Subject::new(Op::Release, Some(&request.name), Some(request.owner));
        Box::pin(self.send(what, move |node| node.release(request.clone())))
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        let what = Subject::new(Op::Inspect, Some(&name), None);
        Box::pin(self.send(what, move |node| node.inspect(name.clone())))
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        Box::pin(async move {
            let what = Subject::new(Op::Watch, Some(&name), None);
            let watched = name.clone();
            let watch = Arc::clone(&self).send(what, move |node| node.watch(watched.clone())).await?;
            let broken = self.links().broken();
            let told: Watch = Box::pin(async move {
                match select(watch, broken).await {
                    Either::Left((told, _)) => told?,
                    Either::Right(_) => {
                        let detail = "the connection broke";
                        return Err(self.error(NodeErrorKind::Disconnected, Effect::None, detail));
                    }
                }
                let what = Subject::new(Op::Notify, Some(&name), None);
                self.send(what, |_| Box::pin(std::future::ready(Ok(())))).await
            });
            Ok(told)
        })
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        Box::pin(self.send(Subject::new(Op::Examine, None, None), |node| node.examine()))
    }

    fn clock(&self) -> Option<ClockReading> {
        self.seen().clock
    }

    fn standing(&self) -> Standing {
        self.seen().standing
    }

    fn incarnation(&self) -> Option<Incarnation> {
        self.seen().incarnation
    }

    fn mark(self: Arc<Self>, request: MarkRequest) -> NodeFuture<Standing> {
        Box::pin(self.send(Subject::new(Op::Mark, None, None), move |node| node.mark(request)))
    }
}

impl fmt::Debug for FaultyNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyNode").field("node", &self.node).finish_non_exhaustive()
    }
}
