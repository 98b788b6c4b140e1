//! Redis and Valkey, one master as a node.
//!
//! A lock is a plain string key with an owner token and a TTL, as other Redlock clients keep it. Every operation is
//! one script; everything about the connection (reconnecting, limits, time-outs) is done here, and switched off in
//! fred.

mod acl;
mod ask;
mod auxiliary;
mod batch;
mod cluster;
mod config;
mod connection;
mod examine;
mod failure;
mod identity;
mod keys;
mod link;
mod marking;
mod operation;
mod place;
mod reply;
mod scripts;
mod sentinel;
#[cfg(feature = "tls")]
mod tls;
mod url;
mod wake;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fred::types::Value;
use tokio::sync::{oneshot, watch};

pub use cluster::RedisClusterNode;
pub use config::{RedisConfig, RedisConfigError, TlsFiles};

use connection::{MOST_WAITING, Outcome, Request, Tls, Wish};
use failure::refused_by_server;
use link::{Link, Session, Shared};
use operation::{Count, Keys, Least, Operation, Terms};
use reply::{Answer, Nonsense, Told};
use scripts::Script;
use wake::Wakeups;

use crate::env::Env;
use crate::id::{FencingToken, Instant, LockName, OwnerToken, Ttl, millis_up};
use crate::node::clock::NodeClock;
use crate::node::marker_text as marker;
use crate::node::{
    Abilities, AcquireRequest, ClockReading, Examination, ExtendRequest, Identity, Incarnation, Inspection,
    MarkRequest, Node, NodeError, NodeErrorKind, NodeFuture, Raise, RaiseRequest, ReleaseRequest, Released,
    Reply, Standing, Watch,
};
use crate::protections::Protections;
use crate::telemetry;

/// One Redis master as a node.
///
/// It connects in the background and stays connected: after a failure it tries again at growing, random intervals of
/// at most 2 s. While there is no connection, requests fail at once. Dropping the last reference closes the
/// connection.
///
/// # Rights
/// What the ACL user needs, and no more; [`RedisConfig::acl_rule`] puts it together for a configuration:
///
/// | when | rights |
/// |---|---|
/// | always | `~redlock:*` `~#redlock:aux:*` `+info` `+script\|load` `+evalsha` `+time` `+get` `+set` `+del` `+pttl` `+pexpire` `+client\|tracking` |
/// | with the restart guard, which is on by default | `~#redlock:marker` `~#redlock:top` |
/// | with `trustAof` | `+config\|get` |
/// | in another database than 0 | `+select` |
///
/// With another prefix `~prefix:*` takes the place of `~redlock:*`; with an empty one `~*` that of all patterns. The usual
/// user, on each node:
///
/// ```text
/// ACL SETUSER locker reset on >PASSWORD ~redlock:* ~#redlock:aux:* ~#redlock:marker ~#redlock:top +info +script|load +evalsha +time +get +set +del +pttl +pexpire +client|tracking
/// ```
///
/// For [`preflight`](crate::preflight) it may have `+config|get`, `+acl|dryrun` and `+acl|getuser` too: without them some
/// findings are unknown, and nothing else changes. Without `+client|tracking` waiters poll. A user at sentinels needs
/// `+sentinel|get-master-addr-by-name`, one of a Cluster `+cluster|slots` besides.
///
/// # Wake-ups
/// Who waits for a lock is told by the server when its key goes away, whoever deletes it, and when it expires: by
/// client-side caching (`CLIENT TRACKING`), on a second connection, in RESP3, that is opened for the first waiter and
/// closed some seconds after the last. Where that is refused, or a proxy does not speak RESP3, waiters poll; another attempt is made every two
/// seconds at the most while somebody waits. A waiter costs a server one `PTTL` a second, and one for each renewal of the holder.
pub struct RedisNode {
    address: Arc<str>,
    shared: Arc<Shared>,
    wakeups: Wakeups,
    /// Dropping it ends the task that keeps the connection.
    _stop: oneshot::Sender<()>,
}

impl RedisNode {
    /// Begins to connect. Returns at once; [`Node::probe`] waits for the outcome.
    ///
    /// # Errors
    /// [`RedisConfigError`] if the configuration cannot work whatever the server does: TLS files, limits, features; or if
    /// it is that of a Cluster, which is for [`RedisClusterNode`].
    pub fn start(
        config: RedisConfig,
        env: Arc<dyn Env>,
        protections: Protections,
    ) -> Result<Arc<Self>, RedisConfigError> {
        config.validate()?;
        if config.is_cluster() {
            return Err(RedisConfigError::Topology {
                expected: "one master; a Cluster is a RedisClusterNode",
            });
        }
        let tls = load_tls(&config)?;
        Ok(Self::launch(config, tls, env, protections))
    }

    /// Begins to connect, with a configuration that has been checked.
    fn launch(config: RedisConfig, tls: Tls, env: Arc<dyn Env>, protections: Protections) -> Arc<Self> {
        let address: Arc<str> = config.address().into();
        let shared = Arc::new(Shared {
            config,
            tls,
            protections,
            env,
            clock: Mutex::new(NodeClock::default()),
            judged: Mutex::new(Instant::from_nanos(0)),
            link: watch::Sender::new(Link::Starting),
            telemetry: telemetry::Link::new(&address),
        });
        let (stop, stopped) = oneshot::channel();
        shared.env.spawn(Box::pin(link::keep(Arc::clone(&shared), stopped)));
        let wakeups = Wakeups::new(&shared);
        Arc::new(Self { address, shared, wakeups, _stop: stop })
    }

    /// The connection, if there is one.
    fn session(&self) -> Result<Arc<Session>, NodeError> {
        match &*self.shared.link.borrow() {
            Link::Up(session) => Ok(Arc::clone(session)),
            Link::Starting => Err(self.not_connected("the first attempt is under way")),
            Link::Down(failure) => Err(self.not_connected(&failure.detail)),
        }
    }

    /// Runs an operation on a name; returns what its answer means, with the server's clock.
    async fn run<T>(
        &self,
        session: &Session,
        name: &LockName,
        operation: Operation,
        meaning: fn(Answer) -> Result<T, Nonsense>,
    ) -> Result<(T, u64), NodeError> {
        let script = operation.script();
        let main = keys::main(&self.shared.config.prefix, name);
        let auxiliary = keys::auxiliary(&main).into_boxed_slice();
        let keys = Keys { main: main.into_boxed_slice(), auxiliary };
        let [alone, batch] = [script, Script::Batch].map(|script| session.hashes.of(script));
        let request =
            session.connection.request(alone, batch, &operation, keys).map_err(|_| self.overloaded())?;
        // Of a batch its sender takes the clock.
        let sent = matches!(request, Request::Alone(_)).then(|| self.shared.env.now());
        self.understand(session, script, request.await, sent, meaning)
    }

    /// Calls a script with its hash and all that follows.
    async fn call<T>(
        &self,
        session: &Session,
        script: Script,
        all: Vec<Value>,
        meaning: fn(Answer) -> Result<T, Nonsense>,
    ) -> Result<(T, u64), NodeError> {
        let exchange = session.connection.call("EVALSHA", all).map_err(|_| self.overloaded())?;
        let sent = self.shared.env.now();
        let request = Request::Alone(exchange);
        self.understand(session, script, request.await, Some(sent), meaning)
    }

    /// What the outcome of a script means, with the server's clock. It is taken out of the answer to what was `sent` alone.
    fn understand<T>(
        &self,
        session: &Session,
        script: Script,
        outcome: Outcome<Told>,
        sent: Option<Instant>,
        meaning: fn(Answer) -> Result<T, Nonsense>,
    ) -> Result<(T, u64), NodeError> {
        let answer = match outcome {
            Outcome::Answered(Told::Answer(answer)) => answer,
            Outcome::Answered(Told::Refused(text)) => {
                let rights = || acl::rule(&self.shared.config);
                return Err(refused_by_server(&self.address, script.name(), &text, rights));
            }
            Outcome::Answered(Told::Nonsense(why)) => return Err(self.nonsense(session, script, &why)),
            Outcome::NotSent(why) => return Err(self.not_connected(&why.detail)),
            Outcome::Lost(why) => return Err(self.disconnected(&why)),
        };
        // An answer that is looked at late may be that of a server which is not the node any more.
        if let Some(sent) = sent
            && matches!(&*self.shared.link.borrow(), Link::Up(now) if std::ptr::eq(&**now, session))
        {
            self.shared.sample(answer.clock, sent);
        }
        if answer.is_unmarked() {
            return Err(self.unmarked());
        }
        let clock = answer.clock;
        let result = meaning(answer).map_err(|why| self.nonsense(session, script, &why))?;
        Ok((result, clock))
    }

    /// Asks for a vote, with a counter or without.
    async fn vote(
        &self,
        session: &Session,
        name: &LockName,
        operation: Operation,
        is_fenced: bool,
    ) -> Result<Reply, NodeError> {
        let meaning = if is_fenced { Answer::fenced_vote } else { Answer::vote };
        let reply = self.run(session, name, operation, meaning).await?.0;
        Ok(in_memory(reply, session))
    }

    /// What a vote is asked for, in the server's terms.
    fn terms(&self, owner: OwnerToken, ttl: Ttl, deadline: Instant) -> Result<Terms, NodeError> {
        Ok(Terms { owner, ttl: ttl.as_millis_up(), deadline: self.deadline(deadline)? })
    }

    /// `at` in the server's time, in microseconds.
    fn deadline(&self, at: Instant) -> Result<u64, NodeError> {
        // The clock is read before a connection is used, so that this does not fail where there is one.
        let deadline = self.times().deadline(at);
        deadline.ok_or_else(|| self.not_connected("the server's clock is not known yet"))
    }

    fn times(&self) -> std::sync::MutexGuard<'_, NodeClock> {
        self.shared.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_connected(&self, why: &str) -> NodeError {
        let detail = format!("not connected: {why}");
        NodeError::without_effect(&self.address, NodeErrorKind::Unreachable, detail)
    }

    fn disconnected(&self, why: &str) -> NodeError {
        let detail = format!("the connection ended before the answer: {why}");
        NodeError::with_unknown_effect(&self.address, NodeErrorKind::Disconnected, detail)
    }

    /// It has done nothing.
    fn unmarked(&self) -> NodeError {
        let detail = "the server's memory is not the one that was judged; it is being judged anew";
        NodeError::without_effect(&self.address, NodeErrorKind::NotReady, detail)
    }

    fn overloaded(&self) -> NodeError {
        let detail = format!("{MOST_WAITING} requests are waiting for this node's answers already");
        NodeError::without_effect(&self.address, NodeErrorKind::Overloaded, detail)
    }

    /// An answer that cannot be ours puts all that follow in doubt.
    fn nonsense(&self, session: &Session, script: Script, why: &Nonsense) -> NodeError {
        session.connection.ask(Wish::Close);
        let detail =
            format!("the answer to {} makes no sense: {}; is this Redis or Valkey?", script.name(), why.0);
        NodeError::with_unknown_effect(&self.address, NodeErrorKind::Protocol, detail)
    }
}

impl Node for RedisNode {
    fn address(&self) -> &str {
        &self.address
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            notification: true,
            descriptions: true,
            wakes_when_answered: true,
            ..Abilities::default()
        }
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Box::pin(async move {
            let mut link = self.shared.link.subscribe();
            // The sender lives in `self`, so that this cannot fail.
            let known = link.wait_for(|link| !matches!(link, Link::Starting)).await.map(|link| link.clone());
            match known {
                Ok(Link::Up(session)) => self.look(&session).await,
                Ok(Link::Down(failure)) => Err(failure.without_effect(&self.address)),
                Ok(Link::Starting) | Err(_) => Err(self.not_connected("the node has been dropped")),
            }
        })
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let AcquireRequest { name, owner, ttl, deadline, fence, description } = request;
            let session = self.session()?;
            let fence = fence.map(|fence| {
                let last = fence.hint.min(FencingToken::MAX).saturating_add(fence.span.max(1) - 1);
                Count { keep: keep(ttl, fence.retention), last, span: fence.span.max(1), description }
            });
            let is_fenced = fence.is_some();
            let operation = Operation::Acquire { terms: self.terms(owner, ttl, deadline)?, fence };
            self.vote(&session, &name, operation, is_fenced).await
        })
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let ExtendRequest { name, owner, ttl, deadline, fence, restore, description } = request;
            let session = self.session()?;
            let fence = fence.map(|fence| Least { description, ..least(ttl, &fence) });
            let is_fenced = fence.is_some();
            let operation = Operation::Extend { terms: self.terms(owner, ttl, deadline)?, fence, restore };
            self.vote(&session, &name, operation, is_fenced).await
        })
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        Box::pin(async move {
            let RaiseRequest { name, owner, ttl, deadline, fence } = request;
            let session = self.session()?;
            let terms = self.terms(owner, ttl, deadline)?;
            let operation = Operation::Raise { terms, fence: least(ttl, &fence) };
            self.vote(&session, &name, operation, true).await
        })
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        Box::pin(async move {
            let session = self.session()?;
            let operation = Operation::Release { owner: request.owner };
            let (was_held, clock) = self.run(&session, &request.name, operation, Answer::was_held).await?;
            // Where no deadline was ever stated, no request was ever sent that could still run.
            let settled_after = request.unsettled.and_then(|unsettled| self.times().settled_after(unsettled));
            Ok(Released::new(was_held, settled_after.is_none_or(|settled| clock > settled)))
        })
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        Box::pin(async move {
            let session = self.session()?;
            Ok(self.run(&session, &name, Operation::Inspect, Answer::inspection).await?.0)
        })
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        let key = keys::main(&self.shared.config.prefix, &name);
        self.wakeups.watch(&self.address, key)
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        Box::pin(async move {
            let session = self.session()?;
            examine::examine(&self.shared, &session)
                .await
                .map_err(|failure| failure.without_effect(&self.address))
        })
    }

    fn clock(&self) -> Option<ClockReading> {
        self.times().latest()
    }

    fn standing(&self) -> Standing {
        self.session().map_or(Standing::Unknown, |session| session.standing())
    }

    fn incarnation(&self) -> Option<Incarnation> {
        self.session().ok()?.incarnation()
    }

    fn mark(self: Arc<Self>, request: MarkRequest) -> NodeFuture<Standing> {
        Box::pin(async move { self.change_marker(&request).await })
    }
}

impl fmt::Debug for RedisNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisNode").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Says which memory has granted: the one that the script was made for.
fn in_memory(reply: Reply, session: &Session) -> Reply {
    match reply {
        Reply::Granted(grant) => {
            Reply::Granted(grant.in_memory(session.incarnation()).under(session.charter()))
        }
        refused @ Reply::Refused(_) => refused,
    }
}

fn number(value: u64) -> Value {
    i64::try_from(value).unwrap_or(i64::MAX).into()
}

fn least(ttl: Ttl, raise: &Raise) -> Least {
    Least { keep: keep(ttl, raise.retention), to: raise.to.min(FencingToken::MAX), description: None }
}

/// For how long a counter is kept that is no more than a second ahead of the server's time, in milliseconds; a second more than
/// its lead, for hints may be late by as much. At most what a server takes as a TTL.
fn keep(ttl: Ttl, retention: Duration) -> u64 {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
    const AHEAD: Duration = Duration::from_secs(2);
    millis_up(ttl.get().saturating_add(retention).saturating_add(AHEAD).min(LONGEST))
}

/// The text of the scripts for acquire, extend and release, for a yardstick that has a server do the same: the keys are a
/// lock's own and one beside it; the arguments an owner, a TTL in milliseconds and a deadline in the server's
/// microseconds, to extend also two empty ones. To acquire with a fencing token there are three more: for how long to keep the
/// counter, in milliseconds, the last token that the hint gives, and the span. An answer that begins with 0 is a success.
#[cfg(feature = "testing")]
pub fn script_texts() -> [String; 3] {
    [Script::Acquire, Script::Extend, Script::Release]
        .map(|script| script.render("yardstick", scripts::Guard::Off, &Protections::default()))
}

/// Starts the node that a configuration asks for: one master, or a Cluster.
pub(crate) fn start(
    config: RedisConfig,
    env: Arc<dyn Env>,
    protections: Protections,
) -> Result<Arc<dyn Node>, RedisConfigError> {
    if config.is_cluster() {
        Ok(RedisClusterNode::start(config, env, protections)?)
    } else {
        Ok(RedisNode::start(config, env, protections)?)
    }
}

#[cfg(feature = "tls")]
fn load_tls(config: &RedisConfig) -> Result<Tls, RedisConfigError> {
    config.tls.as_ref().map_or(Ok(None), tls::load)
}

#[cfg(not(feature = "tls"))]
fn load_tls(config: &RedisConfig) -> Result<Tls, RedisConfigError> {
    if config.has_tls() { Err(RedisConfigError::TlsNotBuilt) } else { Ok(Tls) }
}
