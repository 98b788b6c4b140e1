//! One independent lock store, and the contract that every backend keeps.
//!
//! The quorum needs little of a node: it grants a name to one owner at a time for at least a TTL, it never undoes what
//! another owner has, and it refuses requests that come too late. Everything else (scripts, pipelining, batching,
//! reconnecting) is a backend's own business.

mod abilities;
#[cfg_attr(
    not(any(feature = "redis", feature = "testing")),
    allow(dead_code, reason = "only nodes across a network estimate clocks")
)]
pub(crate) mod clock;
pub(crate) mod description;
#[cfg(any(feature = "etcd", feature = "memcached", feature = "zookeeper"))]
pub(crate) mod dispatch;
mod error;
mod examination;
pub(crate) mod fence;
mod finding;
mod mark;
#[cfg(any(feature = "redis", feature = "memcached"))]
pub(crate) mod marker_change;
#[cfg(any(feature = "redis", feature = "memcached"))]
pub(crate) mod marker_text;
#[cfg(all(feature = "tls", any(feature = "redis", feature = "memcached")))]
pub(crate) mod tls;
#[cfg(any(feature = "redis", feature = "memcached", feature = "etcd"))]
pub(crate) mod tls_files;
#[cfg(any(feature = "redis", feature = "memory", feature = "file"))]
pub(crate) mod watchers;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::id::{Instant, LockName, OwnerToken, Ttl};

pub use crate::id::{Charter, Incarnation, Marker, Stage, Standing};
pub use abilities::{Abilities, Durability, LateRequests};
pub use clock::ClockReading;
pub use description::{Description, OwnerId};
pub use error::{Effect, NodeError, NodeErrorKind};
pub use examination::Examination;
pub(crate) use examination::is_this_machine;
pub use fence::{Fence, Raise};
pub use finding::{Finding, FindingKind, Persistence, Severity};
pub use mark::{Mark, MarkRequest};

/// What a node operation returns: nothing is sent before the first poll.
pub type NodeFuture<T> = Pin<Box<dyn Future<Output = Result<T, NodeError>> + Send + 'static>>;

/// A watch on a name that stands: see [`Node::watch`].
pub type Watch = NodeFuture<()>;

/// One independent lock store: a Redis master, an etcd ensemble, a table in memory, or a third party's own.
///
/// # Contract
/// * **Polling.** The first poll sends the request, in the order of first polls as far as the connection holds; a later
///   release must not overtake an earlier acquire on one connection. Completion needs no particular runtime.
/// * **Dropping** a returned future abandons the answer, not the request: the effect is then unknown.
/// * **No retries.** A request takes effect at most once; whether to ask again is the caller's decision.
/// * **Deadlines.** A request that the store would run after its `deadline` is refused ([`RefusalReason::Stale`]),
///   in the store's own time: a server that was stopped runs what has queued up when it wakes (design, section 4). A store that
///   cannot refuse it sees to it that what it grants ends no later than if it had run in time ([`Abilities::late_requests`]).
/// * **Bounded.** A store that does not answer costs a bounded amount of memory; what does not fit is refused with
///   [`NodeErrorKind::Overloaded`] and [`Effect::None`].
///
/// The trait is dyn-safe; requests and replies may grow fields.
pub trait Node: Send + Sync + fmt::Debug + 'static {
    /// What people call this node: an address without credentials. Two nodes of one quorum have different ones.
    fn address(&self) -> &str;

    /// What this kind of node can do. The default promises little.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// Connects, if there is something to connect to, and says who the node is.
    ///
    /// Idempotent. Completes as soon as the node is usable or the first attempt has failed; attempts go on in the
    /// background then.
    fn probe(self: Arc<Self>) -> NodeFuture<Identity>;

    /// Grants `name` to `owner` for at least `ttl`, unless somebody else has it.
    ///
    /// Idempotent for one owner: found already granted to `owner`, it is granted again with a fresh TTL, and its fencing
    /// counter stays where it is. Where the request has a fence, a grant must say where the counter stands: a lock without
    /// a settled token is not held.
    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply>;

    /// Gives the owner at least `ttl` from now on. Refused unless `owner` has the name, or nobody has and the request is to
    /// restore it; never shortens what it has.
    ///
    /// Idempotent.
    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply>;

    /// Has the name's fencing counter stand at `to` at least. Refused unless `owner` has the name.
    ///
    /// Idempotent. A request that was given up changes nothing but that counter, and only upwards.
    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply>;

    /// Takes the name from `owner`; touches nobody else's. Never refused, however late.
    ///
    /// Idempotent.
    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released>;

    /// Looks without touching: who has the name, and for how long.
    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection>;

    /// Watches `name` on behalf of somebody who waits for it. Optional: by default a node tells nothing, and is polled.
    ///
    /// Completes when the watch stands. From then on nothing is missed: either the name was free at that moment, or what
    /// frees it later (a release, whoever did it, or the end of its TTL) completes the [`Watch`] that was returned. A watch
    /// completes soon after the name has become free here, and may complete without that; it completes once. An error, of
    /// either future, says that the node cannot tell, or can no longer tell. Whoever waits asks again by
    /// [`acquire`](Node::acquire) in any case, and now and then without being told.
    ///
    /// Takes nothing and changes nothing. Idempotent; the watches of one name do not know of each other. Dropping either
    /// future ends the watch; what the store remembers of it goes with the name's next change, or with the connection.
    fn watch(self: Arc<Self>, _name: LockName) -> NodeFuture<Watch> {
        let error = NodeError::without_effect(
            &self.address().into(),
            NodeErrorKind::Unsupported,
            "this node does not tell when a name becomes free",
        );
        Box::pin(std::future::ready(Err(error)))
    }

    /// Looks at how the store is set up, for [`preflight`](crate::preflight); changes nothing. What it does not let us read
    /// is [`FindingKind::Unreadable`], not an error. By default nothing is known.
    ///
    /// Idempotent.
    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        Box::pin(async { Ok(Examination::default()) })
    }

    /// What the latest answer showed of the store's own clock; `None` before the first one, and where the store tells no time.
    fn clock(&self) -> Option<ClockReading>;

    /// What is known of the node's memory. A look at what is known here, without a request: it may be behind.
    ///
    /// The default says that the node keeps no marker.
    fn standing(&self) -> Standing {
        Standing::Unguarded
    }

    /// The memory that the node has now, as far as is known here; `None`: there is nothing that tells. An extension gives an
    /// owner its name back only where the memory is another one than that which granted it.
    fn incarnation(&self) -> Option<Incarnation> {
        None
    }

    /// Changes the node's marker, provided that it is still as [`standing`](Node::standing) has it.
    ///
    /// Idempotent in its effect; of two clients that change one marker at the same time one comes first, and the other's request
    /// changes nothing. Returns how the node stands then.
    fn mark(self: Arc<Self>, request: MarkRequest) -> NodeFuture<Standing> {
        Box::pin(async move {
            let _ = request;
            let detail = "the node keeps no marker";
            Err(NodeError::without_effect(&self.address().into(), NodeErrorKind::Unsupported, detail))
        })
    }
}

/// Asks a node to grant a name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AcquireRequest {
    /// What to lock.
    pub name: LockName,
    /// For whom: fresh for every round.
    pub owner: OwnerToken,
    /// For how long at least.
    pub ttl: Ttl,
    /// Not to be run after this point.
    pub deadline: Instant,
    /// Count the name's fencing counter up by this, and say where it stands; `None`: leave it alone.
    pub fence: Option<Fence>,
    /// Shown to who [inspects](Node::inspect) as long as the owner has the name; `None`: nothing is. A store may keep it only
    /// where there is a fence as well.
    pub description: Option<Description>,
}

/// Asks a node to prolong what an owner has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExtendRequest {
    /// The lock.
    pub name: LockName,
    /// Who has it.
    pub owner: OwnerToken,
    /// For how long from now on, at least.
    pub ttl: Ttl,
    /// Not to be run after this point: the end of the validity that the owner had when it asked.
    pub deadline: Instant,
    /// Have the name's fencing counter stand there at least; `None`: leave it alone.
    pub fence: Option<Raise>,
    /// Give the owner the name if nobody has it there: the node has lost its memory since it granted, or it never voted.
    pub restore: bool,
    /// Takes the place of what was said when it was acquired, and comes with a restored name; `None`: that stays as it is. As in
    /// [`AcquireRequest::description`].
    pub description: Option<Description>,
}

/// Asks a node to raise a name's fencing counter.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RaiseRequest {
    /// The lock.
    pub name: LockName,
    /// Who has it.
    pub owner: OwnerToken,
    /// For how long at least the owner may have it.
    pub ttl: Ttl,
    /// Not to be run after this point.
    pub deadline: Instant,
    /// How far.
    pub fence: Raise,
}

/// Asks a node to take a name from an owner.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReleaseRequest {
    /// The lock.
    pub name: LockName,
    /// Who has it.
    pub owner: OwnerToken,
    /// The latest deadline of this owner's requests to this node that were never answered, if there are any.
    pub unsettled: Option<Instant>,
}

impl AcquireRequest {
    /// A request with these fields.
    pub fn new(name: LockName, owner: OwnerToken, ttl: Ttl, deadline: Instant) -> Self {
        Self { name, owner, ttl, deadline, fence: None, description: None }
    }
}

impl ExtendRequest {
    /// A request with these fields.
    pub fn new(name: LockName, owner: OwnerToken, ttl: Ttl, deadline: Instant) -> Self {
        Self { name, owner, ttl, deadline, fence: None, restore: false, description: None }
    }
}

impl RaiseRequest {
    /// A request with these fields.
    pub fn new(name: LockName, owner: OwnerToken, ttl: Ttl, deadline: Instant, fence: Raise) -> Self {
        Self { name, owner, ttl, deadline, fence }
    }
}

impl ReleaseRequest {
    /// A request with these fields.
    pub fn new(name: LockName, owner: OwnerToken, unsettled: Option<Instant>) -> Self {
        Self { name, owner, unsettled }
    }
}

/// A node's answer to a request for its vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The owner has the name there, for at least the TTL asked for.
    Granted(Grant),
    /// The owner does not have it there, and this request has changed nothing.
    Refused(Refusal),
}

/// What comes with a granted vote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// Where the name's fencing counter stands now, if the request had one.
    pub counter: Option<u64>,
    /// The memory that holds it.
    pub incarnation: Option<Incarnation>,
    /// What the node's clients agreed on when it granted, as its marker said then.
    pub charter: Option<Charter>,
}

impl Grant {
    /// A grant whose request had a fence, and where the counter stands.
    pub fn with_counter(counter: u64) -> Self {
        Self { counter: Some(counter), ..Self::default() }
    }

    /// The same, with the memory that holds it.
    #[must_use]
    pub fn in_memory(self, incarnation: Option<Incarnation>) -> Self {
        Self { incarnation, ..self }
    }

    /// The same, with what the node's marker said.
    #[must_use]
    pub fn under(self, charter: Option<Charter>) -> Self {
        Self { charter, ..self }
    }
}

/// Why a node did not grant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The reason.
    pub reason: RefusalReason,
    /// How long the present owner still has the name if it does nothing, or the quarantine still lasts; `None` if there is none,
    /// or no end is set.
    pub remaining: Option<Duration>,
    /// Who has the name there, if the node says so: several owners on several nodes are contenders that have split the votes.
    pub owner: Option<OwnerId>,
}

impl Refusal {
    /// A refusal for `reason`; `remaining` is what the present owner has left.
    pub fn new(reason: RefusalReason, remaining: Option<Duration>) -> Self {
        Self { reason, remaining, owner: None }
    }

    /// The same, with the present owner.
    #[must_use]
    pub fn of_owner(self, owner: OwnerId) -> Self {
        Self { owner: Some(owner), ..self }
    }
}

/// The reasons for which a node does not grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// Another owner has the name.
    #[error("held by another owner")]
    Held,
    /// To an extension: nobody has the name there.
    #[error("the key is gone")]
    Missing,
    /// The request came to the node after its deadline.
    #[error("the request came after its deadline")]
    Stale,
    /// The name's fencing counter has come to its end: no greater token can be had.
    #[error("its fencing counter is at its end")]
    Exhausted,
    /// The node may have forgotten locks that are still held; it grants nothing new for now.
    #[error("in quarantine, since its memory is new")]
    Quarantined,
}

/// A node's answer to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Released {
    /// Whether the owner had the name there when the release ran.
    pub was_held: bool,
    /// Whether the requests that [`ReleaseRequest::unsettled`] speaks of can no longer take effect. True where there
    /// were none.
    pub settled: bool,
}

impl Released {
    /// An answer with these fields.
    pub fn new(was_held: bool, settled: bool) -> Self {
        Self { was_held, settled }
    }
}

/// What a look at a node shows of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// Whether anybody has it there.
    pub held: bool,
    /// For how long, if nobody does anything; `None` if it is free or held without an end.
    pub remaining: Option<Duration>,
    /// Where its fencing counter stands; `None` if there is none.
    pub counter: Option<u64>,
    /// Who has it, to be compared; `None` if nobody does, or the store does not say.
    pub owner: Option<OwnerId>,
    /// What its present owner says of itself; never what an earlier one said.
    pub description: Option<Description>,
}

impl Inspection {
    /// A look with these results.
    pub fn new(held: bool, remaining: Option<Duration>) -> Self {
        Self { held, remaining, counter: None, owner: None, description: None }
    }

    /// The same, with where its fencing counter stands.
    #[must_use]
    pub fn with_counter(self, counter: Option<u64>) -> Self {
        Self { counter, ..self }
    }

    /// The same, with whose it is, and what that one says of itself.
    #[must_use]
    pub fn of_owner(self, owner: OwnerId, description: Option<Description>) -> Self {
        Self { owner: Some(owner), description, ..self }
    }
}

/// Who a node is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Identifies the process behind the address (a Redis `run_id`): two nodes with one value are one server. A node that
    /// is several processes, such as a Cluster, joins theirs by `+`.
    pub instance: Option<String>,
    /// The store's version, as it states it.
    pub version: Option<String>,
    /// No fencing counter of the node is above this.
    pub ceiling: Option<u64>,
}
