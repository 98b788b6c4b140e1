//! etcd, one ensemble as a node.
//!
//! A lock is a key with an owner token, on a lease. Every operation is one transaction, and those that take time one
//! lease besides. Which member is asked, and what is revoked when, is decided here; etcd-client's own lock and
//! election calls are not used, for they can say yes after the lease has ended.

mod address;
mod config;
mod core;
mod ensemble;
mod examine;
mod failure;
mod keys;
mod leases;
mod member;
#[cfg(all(test, feature = "testing"))]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod txn;
mod url;
mod wake;
mod work;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::ConnectOptions;
use tokio::sync::oneshot;

pub use config::{EtcdConfig, EtcdConfigError, TlsFiles};

use self::core::Core;
use ensemble::Ensemble;
use failure::Failure;
use keys::Keys;
use member::Member;
use wake::Wakeups;

use crate::env::Env;
use crate::id::{Instant, LockName};
use crate::node::dispatch::Dispatch;
use crate::node::{
    Abilities, AcquireRequest, ClockReading, Durability, Examination, ExtendRequest, Identity, Inspection,
    LateRequests, Node, NodeErrorKind, NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply, Watch,
};
use crate::protections::Protections;

/// How long a request may take that has no deadline of its own, and any other one at most.
const LIMIT: Duration = Duration::from_secs(2);
/// How long a look at the whole ensemble may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// A connection is asked whether it lives so often while a request or a watch waits on it, and closed without an answer
/// in that time. etcd closes connections that ask more often than every 5 s.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// One etcd ensemble (3.4 or later) as a node.
///
/// It connects when it is asked for something, and stays connected. The member that answered last is asked first; while
/// it does not answer, the others are asked besides, after a few of the usual round trips (12 to 250 ms, and a fifth of
/// the request's time at most), so that one member that hangs, is gone or is cut off costs one request a fraction of its
/// time. A member that fails is left alone for growing, random times of at most 2 s. All reads are linearizable.
///
/// # What it promises
/// * A lock is on a lease of its own, with a TTL in whole seconds, rounded up; etcd may enlarge it to one and a half
///   election time-outs. Every extension puts it on a new lease; keep-alives are never used, since a leader that was replaced without
///   knowing answers them.
/// * A lock that was granted survives what etcd survives: any minority of the members, and restarts of all of them.
/// * While there is no majority, or no leader, nothing is granted, extended or released; a holder goes on within its
///   TTL. An election takes etcd 1 to 2 s by default: a TTL below 5 s may not outlast one.
/// * A request that the ensemble runs late ends with the lease that it was made for. An acquisition that failed or was
///   given up has its lease revoked in the background, for half a minute if need be; what cannot be revoked ends with its TTL.
/// * Every request is given up after 2 s, or at its deadline.
/// * One that somebody stopped waiting for takes effect all the same, until its release or the end of its TTL.
///
/// # Fencing
/// The counter of a name is another key, raised in the transaction that grants. etcd tells no time: counters follow the **clients'
/// wall clocks**. A counter is kept for `fencingRetention` beyond the lock's TTL and its own lead, on leases that counters share (one a
/// minute from every client; their ids have bit 62 set, those of locks have not). Therefore the wall clocks of all clients must be within `fencingRetention` (10 minutes) of each other;
/// otherwise a token may be smaller than one that was used before that time. While a counter is kept, tokens rise whatever the clocks show.
///
/// # Costs
/// | operation | requests that wait for each other | in the background |
/// |---|---|---|
/// | acquire | lease, transaction | one more lease a minute, for all counters together |
/// | acquire, held by another | read, TTL of the holder's lease; the first time lease and transaction instead of the read | revoke, the first time |
/// | extend | lease, transaction | revoke |
/// | release | transaction | revoke |
/// | raise | transaction | |
///
/// All but reads are writes to the disks of a majority. Each lock leaves some 450 bytes in the history until it is compacted: set
/// `auto-compaction-retention`, in busy stores to minutes.
///
/// # Rights
/// With authentication, the user needs read and write access to two prefixes, and nothing else:
///
/// ```text
/// etcdctl role add locker
/// etcdctl role grant-permission locker --prefix=true readwrite 'redlock:'
/// etcdctl role grant-permission locker --prefix=true readwrite '#redlock:'
/// etcdctl user add locker
/// etcdctl user grant-role locker locker
/// ```
///
/// With another prefix of keys that takes the place of `redlock:`; with an empty one, of all names that are locked. It logs in
/// again when its token has expired.
///
/// # Wake-ups
/// Who waits for a lock is told when its key is deleted, also by the end of its lease: by one watch stream for all of them, which
/// is opened for the first one and closed some seconds after the last.
pub struct EtcdNode {
    address: Arc<str>,
    core: Arc<Core>,
    dispatch: Arc<Dispatch>,
    wakeups: Arc<Wakeups>,
}

impl EtcdNode {
    /// Begins to connect. Returns at once; [`Node::probe`] waits for the outcome.
    ///
    /// # Errors
    /// [`EtcdConfigError`] if the configuration cannot work whatever the servers do: TLS files, limits, features.
    pub fn start(
        config: EtcdConfig,
        env: Arc<dyn Env>,
        protections: Protections,
    ) -> Result<Arc<Self>, EtcdConfigError> {
        config.validate()?;
        let options = options(&config)?;
        let address: Arc<str> = config.address().into();
        let members = config.endpoints.iter().map(|endpoint| {
            let (limit, has_tls) = (config.connect_timeout, config.tls.is_some());
            Member::new(endpoint.to_string(), options.clone(), limit, has_tls, &env)
        });
        let ensemble = Ensemble::new(&address, members.collect(), Arc::clone(&env));
        let dispatch = Dispatch::new(&address, &env);
        let core = Core::new(ensemble, config.prefix, protections, env);
        let wakeups = Arc::new(Wakeups::new(&core));
        let node = Arc::new(Self { address, core, dispatch, wakeups });
        let until = node.until(None);
        let first = Arc::clone(&node.core);
        node.core.env.spawn(Box::pin(async move {
            // Only so that there is a connection when the first request comes.
            drop(bounded(&first, until, first.clone().probe(until)).await);
        }));
        Ok(node)
    }

    /// When a request is given up.
    fn until(&self, deadline: Option<Instant>) -> Instant {
        let limit = self.core.env.now().saturating_add(LIMIT);
        deadline.map_or(limit, |deadline| deadline.min(limit))
    }

    /// Runs a request about a name, behind the earlier ones.
    fn run<T, F>(
        self: Arc<Self>,
        name: LockName,
        deadline: Option<Instant>,
        work: impl FnOnce(Arc<Core>, Instant) -> F + Send + 'static,
    ) -> NodeFuture<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        Box::pin(async move {
            let until = self.until(deadline);
            let (core, address) = (Arc::clone(&self.core), Arc::clone(&self.address));
            let work = async move { work(core, until).await.map_err(|failure| failure.into_error(&address)) };
            self.dispatch.run(&name, until, work).await
        })
    }

    /// Runs a request about the ensemble.
    fn aside<T, F>(
        self: Arc<Self>,
        limit: Duration,
        work: impl FnOnce(Arc<Core>, Instant) -> F + Send + 'static,
    ) -> NodeFuture<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        Box::pin(async move {
            let until = self.core.env.now().saturating_add(limit);
            let (answer, answered) = oneshot::channel();
            let core = Arc::clone(&self.core);
            self.core.env.spawn(Box::pin(async move {
                let result = bounded(&core, until, work(Arc::clone(&core), until)).await;
                // Nobody may wait any more.
                let _ = answer.send(result);
            }));
            let result = answered.await.unwrap_or_else(|_| Err(given_up()));
            result.map_err(|failure| failure.into_error(&self.address))
        })
    }
}

async fn bounded<T>(
    core: &Arc<Core>,
    until: Instant,
    work: impl Future<Output = Result<T, Failure>> + Send,
) -> Result<T, Failure> {
    let late = core.env.sleep_until(until);
    match futures::future::select(std::pin::pin!(work), late).await {
        futures::future::Either::Left((result, _)) => result,
        futures::future::Either::Right(_) => Err(given_up()),
    }
}

fn given_up() -> Failure {
    Failure::new(NodeErrorKind::Timeout, "no answer in time")
}

impl Node for EtcdNode {
    fn address(&self) -> &str {
        &self.address
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            ttl_granularity: Duration::from_secs(1),
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
        self.aside(LIMIT, Core::probe)
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        let (name, deadline) = (request.name.clone(), request.deadline);
        self.run(name, Some(deadline), move |core, until| core.acquire(request, until))
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        let (name, deadline) = (request.name.clone(), request.deadline);
        self.run(name, Some(deadline), move |core, until| core.extend(request, until))
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        let (name, deadline) = (request.name.clone(), request.deadline);
        self.run(name, Some(deadline), move |core, until| core.raise(request, until))
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        self.run(request.name.clone(), None, move |core, until| core.release(request, until))
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        self.run(name.clone(), None, move |core, until| core.inspect(name, until))
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        let keys = Keys::of(&self.core.prefix, &name);
        let (address, wakeups) = (Arc::clone(&self.address), Arc::clone(&self.wakeups));
        let look = {
            let keys = keys.clone();
            self.aside(LIMIT, move |core, until| async move { core.look(&keys, until).await })
        };
        Box::pin(async move {
            let seen = look.await?;
            let free: Watch = match seen.lock {
                None => Box::pin(std::future::ready(Ok(()))),
                Some(_) => {
                    let standing = wakeups.watch(keys.main, seen.revision.saturating_add(1));
                    Box::pin(
                        async move { standing.told().await.map_err(|failure| failure.into_error(&address)) },
                    )
                }
            };
            Ok(free)
        })
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        self.aside(LOOK_LIMIT, Core::examine)
    }

    fn clock(&self) -> Option<ClockReading> {
        None
    }
}

impl fmt::Debug for EtcdNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdNode").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What every connection has in common.
fn options(config: &EtcdConfig) -> Result<ConnectOptions, EtcdConfigError> {
    let options = ConnectOptions::new()
        .with_keep_alive(KEEP_ALIVE.0, KEEP_ALIVE.1)
        .with_keep_alive_while_idle(false)
        .with_connect_timeout(config.connect_timeout)
        // A member that is cut off says so at once, and ends its watches.
        .with_require_leader(true)
        .with_auto_token_refresh(true);
    let options = match (&config.username, &config.password) {
        (Some(user), Some(password)) => options.with_user(user, password),
        _ => options,
    };
    with_tls(options, config)
}

#[cfg(feature = "tls")]
fn with_tls(options: ConnectOptions, config: &EtcdConfig) -> Result<ConnectOptions, EtcdConfigError> {
    Ok(match &config.tls {
        Some(files) => options.with_tls(tls::load(files)?),
        None => options,
    })
}

#[cfg(not(feature = "tls"))]
fn with_tls(options: ConnectOptions, config: &EtcdConfig) -> Result<ConnectOptions, EtcdConfigError> {
    if config.tls.is_some() { Err(EtcdConfigError::TlsNotBuilt) } else { Ok(options) }
}
