//! ZooKeeper as a node: one ensemble, a session that is kept open, an ephemeral znode for every lock.

mod change;
mod config;
mod examine;
mod failure;
mod keeper;
mod leases;
mod opening;
mod paths;
mod queue;
mod record;
mod release;
mod session;
mod shared;
mod signs;
mod sweep;
#[cfg(feature = "tls")]
mod tls;
mod url;
mod words;

use std::fmt;
use std::sync::Arc;

use futures::future::{Either, select};
use tokio::sync::{oneshot, watch};

pub use config::{ZooKeeperConfig, ZooKeeperConfigError};

use crate::env::Env;
use crate::id::LockName;
use crate::node::{
    Abilities, AcquireRequest, ClockReading, Durability, Examination, ExtendRequest, Identity, Inspection,
    LateRequests, Node, NodeError, NodeErrorKind, NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply,
    Watch,
};
use crate::protections::Protections;
use change::{Kind, Wish};
use shared::Shared;

/// One ZooKeeper ensemble as a node. Version 3.5 or later.
///
/// # Znodes
/// Below `/prefix`, all of them short texts:
///
/// | path | lasts | holds |
/// |---|---|---|
/// | `NAME` | until it is swept | the name's fencing counter, and until when it is kept |
/// | `NAME/lock` | with the session | the owner token, the TTL in milliseconds, the session |
/// | `NAME/wait-NUMBER` | with the session | nothing: somebody waits |
/// | `#redlock:id` | for ever | a random id that tells ensembles (and prefixes) apart |
/// | `#redlock:top` | for ever | a bound: no fencing counter is above it |
/// | `#redlock:swept` | for ever | how high the counters stood that were swept |
/// | `#redlock:sessions/SESSION` | with the session | nothing; its version says whether the session may still write |
///
/// In names, `/`, `%`, control characters, what is not UTF-8 and characters from U+D800 on are written as `%XX` byte by byte, and so is
/// the first character of `.`, `..`, `zookeeper` and of what begins with `#redlock:`.
///
/// # Sessions
/// A node has one session. An ephemeral znode lives as long as its session, not for a TTL, so a lock is granted or extended only
/// by a **write that succeeded**, and only while the session is certain to outlast the TTL. The leader ends a session
/// that gave no sign of life for the session timeout, but a sign that a follower has answered may not have reached the leader yet. So
/// the session's life is counted from the *sending* of the latest sign that is at least
/// [`touch_delay`](ZooKeeperConfig::touch_delay) older than the write, plus the timeout that the servers granted. A TTL that does not fit
/// is refused (`Unsupported`); a request waits for a fresher sign where that helps. All members must have the same bounds
/// of session timeouts.
///
/// A broken connection confirms nothing: requests fail, and the holder's validity, which was counted from before its request was sent,
/// ends before the session can. A session that was lost is replaced by a new one (attempts up to 2 s apart). The new one first **fences
/// off** the old one: every transaction checks the version of its session's marker, which the new session changes. A lock of the old
/// session that is still there moves into the new one with its next extension, in one transaction.
///
/// When a client crashes, its locks are free when its session has ended: after the session timeout and a tick, which is longer than
/// the TTL. [`session_timeout`](ZooKeeperConfig::session_timeout) sets it. A lock that is neither extended nor released by
/// a client that lives is removed by the node when its TTL is over.
///
/// # Requests
/// Each is one look (a `sync` and reads, sent together) and one transaction that checks the versions seen: two round trips. What comes
/// late ends in time ([`LateRequests::EndsInTime`]): a lock that is created late is known to the node that asked for it and removed by
/// it, or ends with the session. A release that was answered settles everything that was asked for before.
///
/// Dropping a request's future leaves it running until its deadline.
///
/// # Waiting
/// [`Node::watch`] stands in a queue below the name, so that a release wakes one of those who wait, in whatever process, and not all.
/// One who was woken keeps its place until its client's next acquire for the name was answered, or half a second has passed. Who
/// asks without waiting may come first. The place of a client that hangs keeps those behind it waiting until its session has
/// ended, or they ask without being told.
///
/// # Counters
/// They follow the leader's clock as far as writes show it. A counter whose time is up is removed by the clients that have used the name,
/// a few hundred a second at most, and what clients left that have gone is looked for every ten minutes or so (up to
/// 10,000 names). How high it stood is kept, so that one that is created anew is above it whatever the clocks say.
///
/// # Drop
/// Dropping the last handle closes the session, which frees its locks at once.
pub struct ZooKeeperNode {
    shared: Arc<Shared>,
    /// Dropped, it ends the background tasks.
    _closed: watch::Sender<()>,
}

impl ZooKeeperNode {
    /// Begins to connect. Returns at once; [`Node::probe`] waits for the outcome.
    ///
    /// # Errors
    /// [`ZooKeeperConfigError`] if the configuration cannot work whatever the servers do, or a TLS file is of no use.
    pub fn start(
        config: ZooKeeperConfig,
        env: Arc<dyn Env>,
        protections: Protections,
    ) -> Result<Arc<Self>, ZooKeeperConfigError> {
        config.validate()?;
        #[cfg(feature = "tls")]
        if let Some(files) = &config.tls {
            tls::check(files, &config.members)?;
        }
        let shared = Arc::new(Shared::new(config, env, protections));
        let (closed, closing) = watch::channel(());
        let env = &shared.env;
        env.spawn(Box::pin(keeper::keep(Arc::clone(&shared), closing.clone())));
        env.spawn(Box::pin(release::end_in_time(Arc::clone(&shared), closing.clone())));
        env.spawn(Box::pin(sweep::sweep(Arc::clone(&shared), closing)));
        Ok(Arc::new(Self { shared, _closed: closed }))
    }

    /// Runs `wish` in the order of requests about its name.
    fn change(self: Arc<Self>, wish: Wish) -> NodeFuture<Reply> {
        let shared = Arc::clone(&self.shared);
        let (name, deadline) = (wish.name.clone(), wish.deadline);
        let reply = self.shared.dispatch.run(&name, deadline, async move {
            let is_acquire = matches!(wish.kind, Kind::Acquire(_));
            let name = wish.name.clone();
            let reply = wish.carry_out(&shared).await;
            if is_acquire {
                shared.places.answered(&name);
            }
            reply
        });
        self.outlive(reply)
    }

    /// Keeps the node, and with it the session, as long as somebody waits for the answer.
    fn outlive<T: Send + 'static>(self: Arc<Self>, answer: NodeFuture<T>) -> NodeFuture<T> {
        Box::pin(async move {
            let _node = self;
            answer.await
        })
    }
}

/// Runs what concerns no single name.
fn in_background<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl Future<Output = Result<T, NodeError>> + Send + 'static,
) -> NodeFuture<T> {
    let shared = Arc::clone(shared);
    Box::pin(async move {
        let (answer, answered) = oneshot::channel();
        let late = shared.env.sleep_until(shared.patience());
        let gone = shared.error(NodeErrorKind::Timeout, "no answer in time");
        shared.env.spawn(Box::pin(async move {
            if let Either::Left((result, _)) = select(std::pin::pin!(work), late).await {
                // Nobody may wait any more.
                drop(answer.send(result));
            }
        }));
        answered.await.unwrap_or(Err(gone))
    })
}

impl Node for ZooKeeperNode {
    fn address(&self) -> &str {
        &self.shared.address
    }

    fn abilities(&self) -> Abilities {
        let config = &self.shared.config;
        let longest = config.requested().saturating_sub(config.overhead());
        Abilities {
            longest_ttl: Some(longest),
            notification: true,
            durability: Durability::Durable,
            late_requests: LateRequests::EndsInTime,
            steps: 4,
            settable_clock: false,
            descriptions: true,
            ..Abilities::default()
        }
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        let shared = Arc::clone(&self.shared);
        let identity = in_background(&self.shared, async move {
            shared.session().await?;
            let ceiling = Some(shared.ceiling().await?);
            let mut identity = shared.identity();
            if identity.version.is_none() {
                identity.version = words::about(&shared).await.ok().map(|about| about.version);
                shared.saw_identity(identity.clone());
            }
            Ok(Identity { ceiling, ..identity })
        });
        self.outlive(identity)
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        let AcquireRequest { name, owner, ttl, deadline, fence, description: said } = request;
        self.change(Wish { name, owner, ttl, deadline, said, kind: Kind::Acquire(fence) })
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        let ExtendRequest { name, owner, ttl, deadline, fence, restore, description: said } = request;
        self.change(Wish { name, owner, ttl, deadline, said, kind: Kind::Extend { fence, restore } })
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        let RaiseRequest { name, owner, ttl, deadline, fence } = request;
        self.change(Wish { name, owner, ttl, deadline, said: None, kind: Kind::Raise(fence) })
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        let ReleaseRequest { name, owner, .. } = request;
        let shared = Arc::clone(&self.shared);
        let same = name.clone();
        let give_up = self.shared.patience();
        let released =
            self.shared.dispatch.run(&name, give_up, async move { shared.release(&same, owner).await });
        self.outlive(released)
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        let shared = Arc::clone(&self.shared);
        let same = name.clone();
        let give_up = self.shared.patience();
        let look = self.shared.dispatch.run(&name, give_up, async move { shared.inspect(&same).await });
        self.outlive(look)
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        let watch = Box::pin(queue::watch(Arc::clone(&self.shared), name));
        self.outlive(watch)
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        let shared = Arc::clone(&self.shared);
        let examination = in_background(&self.shared, async move {
            let session = shared.session().await?;
            examine::examine(&shared, &session).await
        });
        self.outlive(examination)
    }

    fn clock(&self) -> Option<ClockReading> {
        self.shared.clock()
    }
}

impl fmt::Debug for ZooKeeperNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZooKeeperNode").field("address", &self.shared.address).finish_non_exhaustive()
    }
}
