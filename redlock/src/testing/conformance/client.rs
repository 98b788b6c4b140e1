//! One client of the store: every operation, with when it was sent and answered.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

use super::check::{Stop, Verdict};
use crate::env::Env;
use crate::id::{Instant, LockName, OwnerToken, Ttl};
use crate::node::{
    AcquireRequest, ExtendRequest, Fence, Grant, Identity, Inspection, MarkRequest, Node, NodeFuture, Raise,
    RaiseRequest, Refusal, RefusalReason, ReleaseRequest, Released, Reply, Standing,
};

/// How long anything may take that must happen: machines that test are busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// For how long counters are kept after their locks.
const RETENTION: Duration = Duration::from_secs(600);

/// Who wants what.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) name: LockName,
    pub(super) owner: OwnerToken,
}

/// An answer, and when it was asked for and came. The node did what it did in between.
#[derive(Debug, Clone)]
pub(super) struct Timed<T> {
    pub(super) sent: Instant,
    pub(super) received: Instant,
    pub(super) value: T,
}

#[derive(Clone)]
pub(super) struct Client {
    pub(super) node: Arc<dyn Node>,
    pub(super) env: Arc<dyn Env>,
}

pub(super) fn fence(hint: u64, span: u64) -> Fence {
    Fence::new(hint, span, RETENTION)
}

pub(super) fn to(counter: u64) -> Raise {
    Raise::new(counter, RETENTION)
}

impl Client {
    pub(super) fn new(node: Arc<dyn Node>, env: Arc<dyn Env>) -> Self {
        Self { node, env }
    }

    fn node(&self) -> Arc<dyn Node> {
        Arc::clone(&self.node)
    }

    /// A deadline that nothing misses.
    pub(super) fn in_time(&self) -> Instant {
        self.env.now().saturating_add(PATIENCE)
    }

    /// The node's own time in microseconds, as far as it is known, and how far it may be wrong.
    pub(super) fn node_micros(&self) -> (u64, u64) {
        match self.node.clock() {
            Some(reading) => (reading.at(self.env.now()), reading.most.abs_diff(reading.least) + 10_000),
            None => (self.env.wall_micros(), 1_000_000),
        }
    }

    /// Awaits an answer that must come.
    pub(super) async fn answer<T>(&self, to: &str, future: NodeFuture<T>) -> Verdict<Timed<T>> {
        let expected = || format!("an answer to {to}");
        let sent = self.env.now();
        match select(future, self.env.sleep_until(sent.saturating_add(PATIENCE))).await {
            Either::Left((Ok(value), _)) => Ok(Timed { sent, received: self.env.now(), value }),
            Either::Left((Err(error), _)) => {
                let found = format!("the error \"{error}\" ({:?}, effect: {:?})", error.kind, error.effect);
                Err(Stop::new(expected(), found))
            }
            Either::Right(_) => Err(Stop::new(expected(), format!("none after {PATIENCE:?}"))),
        }
    }

    pub(super) async fn probe(&self) -> Verdict<Identity> {
        Ok(self.answer("a probe", self.node().probe()).await?.value)
    }

    pub(super) fn acquisition(&self, claim: &Claim, ttl: Ttl) -> AcquireRequest {
        AcquireRequest::new(claim.name.clone(), claim.owner, ttl, self.in_time())
    }

    pub(super) async fn acquire(&self, claim: &Claim, ttl: Ttl) -> Verdict<Timed<Reply>> {
        self.ask_to_acquire(self.acquisition(claim, ttl)).await
    }

    pub(super) async fn acquire_fenced(
        &self,
        claim: &Claim,
        ttl: Ttl,
        fence: Fence,
    ) -> Verdict<Timed<Reply>> {
        let request = AcquireRequest { fence: Some(fence), ..self.acquisition(claim, ttl) };
        self.ask_to_acquire(request).await
    }

    pub(super) async fn ask_to_acquire(&self, request: AcquireRequest) -> Verdict<Timed<Reply>> {
        self.answer("an acquire", self.node().acquire(request)).await
    }

    pub(super) fn extension(&self, claim: &Claim, ttl: Ttl) -> ExtendRequest {
        ExtendRequest::new(claim.name.clone(), claim.owner, ttl, self.in_time())
    }

    pub(super) async fn extend(&self, claim: &Claim, ttl: Ttl) -> Verdict<Timed<Reply>> {
        self.ask_to_extend(self.extension(claim, ttl)).await
    }

    pub(super) async fn restore(&self, claim: &Claim, ttl: Ttl) -> Verdict<Timed<Reply>> {
        self.ask_to_extend(ExtendRequest { restore: true, ..self.extension(claim, ttl) }).await
    }

    pub(super) async fn ask_to_extend(&self, request: ExtendRequest) -> Verdict<Timed<Reply>> {
        self.answer("an extension", self.node().extend(request)).await
    }

    pub(super) async fn raise(&self, claim: &Claim, ttl: Ttl, counter: u64) -> Verdict<Timed<Reply>> {
        self.ask_to_raise(self.raising(claim, ttl, counter)).await
    }

    pub(super) fn raising(&self, claim: &Claim, ttl: Ttl, counter: u64) -> RaiseRequest {
        RaiseRequest::new(claim.name.clone(), claim.owner, ttl, self.in_time(), to(counter))
    }

    pub(super) async fn ask_to_raise(&self, request: RaiseRequest) -> Verdict<Timed<Reply>> {
        self.answer("a raise", self.node().raise(request)).await
    }

    pub(super) async fn release(&self, claim: &Claim) -> Verdict<Released> {
        self.release_behind(claim, None).await
    }

    pub(super) async fn release_behind(
        &self,
        claim: &Claim,
        unsettled: Option<Instant>,
    ) -> Verdict<Released> {
        let request = ReleaseRequest::new(claim.name.clone(), claim.owner, unsettled);
        Ok(self.answer("a release", self.node().release(request)).await?.value)
    }

    pub(super) async fn inspect(&self, name: &LockName) -> Verdict<Timed<Inspection>> {
        self.answer("a look", self.node().inspect(name.clone())).await
    }

    pub(super) async fn mark(&self, request: MarkRequest) -> Verdict<Standing> {
        Ok(self.answer("a change of the marker", self.node().mark(request)).await?.value)
    }
}

impl Timed<Reply> {
    /// The grant that it must be.
    pub(super) fn granted(self, what: &str) -> Verdict<Timed<Grant>> {
        let Self { sent, received, value } = self;
        match value {
            Reply::Granted(grant) => Ok(Timed { sent, received, value: grant }),
            Reply::Refused(refusal) => Err(Stop::new(
                format!("{what} is granted"),
                format!("refused: {} ({:?} left)", refusal.reason, refusal.remaining),
            )),
        }
    }

    /// The refusal that it must be, and what it says is left.
    pub(super) fn refused(self, reason: RefusalReason, what: &str) -> Verdict<Timed<Refusal>> {
        let Self { sent, received, value } = self;
        let found = match value {
            Reply::Refused(refusal) if refusal.reason == reason => {
                return Ok(Timed { sent, received, value: refusal });
            }
            Reply::Refused(refusal) => format!("refused: {}", refusal.reason),
            Reply::Granted(grant) => format!("granted: {grant:?}"),
        };
        Err(Stop::new(format!("{what} is refused: {reason}"), found))
    }
}

impl Timed<Grant> {
    /// Where the counter stands, which the grant must say.
    pub(super) fn counter(&self) -> Verdict<u64> {
        let none = || Stop::new("a grant that says where the counter stands", "it says nothing of it");
        self.value.counter.ok_or_else(none)
    }
}
