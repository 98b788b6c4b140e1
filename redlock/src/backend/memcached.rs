//! memcached as a node.

mod clock;
mod codec;
mod config;
mod connection;
mod counter;
mod examine;
mod failure;
mod keys;
mod link;
mod marking;
mod shard;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod url;
mod votes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::sync::oneshot;

pub use config::{MemcachedConfig, MemcachedConfigError, TlsFiles};

use shard::{Link, Shard};

use crate::env::Env;
use crate::id::LockName;
use crate::node::dispatch::Dispatch;
use crate::node::{
    Abilities, AcquireRequest, ClockReading, Durability, Examination, ExtendRequest, Identity, Incarnation,
    Inspection, LateRequests, MarkRequest, Node, NodeError, NodeErrorKind, NodeFuture, RaiseRequest,
    ReleaseRequest, Released, Reply, Standing,
};
use crate::protections::Protections;

/// A request is given up after this time. A connection that answers nothing is closed long before; only one that answers a little
/// now and then keeps a request for so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// One memcached, or several over which locks are spread, as a node.
///
/// Version 1.6 or later, with CAS values (no `-C`). It connects in the background and stays connected: after a failure it tries again at growing,
/// random intervals of at most 2 s. While there is no connection, requests fail at once. Dropping the last reference closes the
/// connection.
///
/// # What is kept there
/// A lock is the item `prefix:name` with an owner token, as due has it, so that due's services share locks with this node (see
/// [`MemcachedConfig::restart_guard`] for what they do not know). A name that memcached cannot have as a key (more than 250 bytes
/// with the prefix, blanks, control characters) is written otherwise, under `#redlock:`. There are also a fencing counter for every name that was locked
/// lately (`#redlock:aux:prefix:name`), and with the restart guard `#redlock:marker`, `#redlock:id` and `#redlock:top`.
///
/// # How long a lock lives
/// TTLs are rounded up to whole seconds, and 30 days is the longest. The end that is stored is absolute, in the server's own time, so that
/// a request that a stopped server runs late grants no more than it would have in time. Since memcached tells the time in whole
/// seconds, a lock that nobody releases stays for up to three seconds longer than its TTL.
///
/// # What memcached cannot do
/// It is a cache: it may forget. What that costs, and what to do about it:
///
/// | event | what becomes of locks | what this node does |
/// |---|---|---|
/// | restart, crash | all are forgotten | with the restart guard: grants nothing new until `maxExpiration` has passed; holders are given their locks back. Without it, who comes next gets the lock at once, while its holder still believes in it |
/// | `flush_all` | all are forgotten | the same: the marker is gone, too. Start the server with `-F` to forbid it |
/// | eviction | single locks are forgotten, when the memory is full | **nothing shows it**: another owner gets the lock at once. A holder notices at its next renewal. Start the server with `-M`, for locks alone, with far more memory than it needs: it then refuses new locks when it is full |
/// | a full server with `-M` | stay | new locks, and renewals, are refused: holders lose them when they end |
/// | SIGSTOP, a machine that sleeps | stay; those that were to end meanwhile end when it goes on | nothing is needed |
///
/// With one server and without the restart guard, any of the first three means two holders at one time. A fencing token protects then what
/// checks it; the counters are in the same memory, but tokens follow the clocks and so go on rising. With a quorum of servers, one that
/// forgets costs nothing as long as the guard is on.
///
/// What due does not check, and this node does: who has the lock besides the CAS value, which a restarted server gives out anew; TTLs below a second
/// (they never end) and above 30 days (two owners at one time); what becomes of requests that run late.
///
/// # Several servers
/// With [`MemcachedConfig::sharded`] each lock lies on one of them, chosen as due chooses. It is one node with one vote, as good as its worst server: it answers
/// [`probe`](Node::probe) only if all do. It has no restart guard, since one marker cannot speak for several memories, and never gives a lock back to a
/// server that has lost it. For safety use independent servers as nodes of a quorum instead.
pub struct MemcachedNode {
    address: Arc<str>,
    env: Arc<dyn Env>,
    config: Arc<MemcachedConfig>,
    shards: Vec<Arc<Shard>>,
    dispatch: Arc<Dispatch>,
    /// Dropping them ends the tasks that keep the connections.
    _stops: Vec<oneshot::Sender<()>>,
}

impl MemcachedNode {
    /// Begins to connect. Returns at once; [`Node::probe`] waits for the outcome. Blocks the thread while it reads TLS files.
    ///
    /// # Errors
    /// [`MemcachedConfigError`] if the configuration cannot work whatever the server does.
    pub fn start(
        config: MemcachedConfig,
        env: Arc<dyn Env>,
        protections: Protections,
    ) -> Result<Arc<Self>, MemcachedConfigError> {
        config.validate()?;
        let tls = stream::load_tls(&config)?;
        let address: Arc<str> = config.address().into();
        let config = Arc::new(config);
        let (mut shards, mut stops) = (Vec::new(), Vec::new());
        for server in &config.servers {
            let shard = Shard::new(&address, server.clone(), &config, tls.clone(), &env, protections);
            let (stop, stopped) = oneshot::channel();
            env.spawn(Box::pin(link::keep(Arc::clone(&shard), stopped)));
            shards.push(shard);
            stops.push(stop);
        }
        let dispatch = Dispatch::new(&address, &env);
        Ok(Arc::new(Self { address, env, config, shards, dispatch, _stops: stops }))
    }

    /// The server that keeps a lock.
    fn shard(&self, name: &LockName) -> Option<Arc<Shard>> {
        let key = keys::main(&self.config.prefix, name);
        self.shards.get(keys::server_of(&key, self.shards.len())).cloned()
    }

    /// Runs a request on the server that keeps a lock, behind all earlier ones about that lock.
    fn run<T, F>(
        self: Arc<Self>,
        name: LockName,
        work: impl FnOnce(Arc<Shard>) -> F + Send + 'static,
    ) -> NodeFuture<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, NodeError>> + Send + 'static,
    {
        Box::pin(async move {
            let Some(shard) = self.shard(&name) else { return Err(self.no_server()) };
            // Said at once, without a place in the queue.
            shard.session()?;
            let give_up_at = self.env.now().saturating_add(PATIENCE);
            self.dispatch.run(&name, give_up_at, work(shard)).await
        })
    }

    /// A configuration has at least one.
    fn no_server(&self) -> NodeError {
        NodeError::without_effect(&self.address, NodeErrorKind::Unsupported, "the node has no server")
    }
}

/// Waits until the first attempt to connect has ended, and says who the server is.
async fn probe(shard: &Shard) -> Result<Identity, NodeError> {
    let mut link = shard.link.subscribe();
    // The sender lives in the shard, so that this cannot fail.
    let known = link.wait_for(|link| !matches!(link, Link::Starting)).await.map(|link| link.clone());
    match known {
        Ok(Link::Up(session)) => shard.look(&session).await,
        Ok(Link::Down(failure)) => Err(failure.without_effect(&shard.node)),
        Ok(Link::Starting) | Err(_) => Err(shard.not_connected("the node has been dropped")),
    }
}

impl Node for MemcachedNode {
    fn address(&self) -> &str {
        &self.address
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            fencing: true,
            ttl_granularity: Duration::from_secs(1),
            longest_ttl: Some(shard::LONGEST_TTL),
            notification: false,
            durability: Durability::None,
            late_requests: LateRequests::EndsInTime,
            steps: 3,
            settable_clock: false,
            descriptions: true,
            wakes_when_answered: false,
        }
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Box::pin(async move {
            let identities = try_join_all(self.shards.iter().map(|shard| probe(shard))).await?;
            // The oldest version counts, and no server's number stands for all.
            let version = identities.iter().filter_map(|identity| identity.version.clone()).min();
            let mut first = identities.into_iter().next().ok_or_else(|| self.no_server())?;
            first.version = version;
            Ok(first)
        })
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        self.run(request.name.clone(), |shard| shard.acquire(request))
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        self.run(request.name.clone(), |shard| shard.extend(request))
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        self.run(request.name.clone(), |shard| shard.raise(request))
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        self.run(request.name.clone(), |shard| shard.release(request))
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        self.run(name.clone(), |shard| shard.inspect(name))
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        Box::pin(async move {
            let mut whole: Option<Examination> = None;
            for shard in &self.shards {
                let session = shard.session()?;
                let one =
                    shard.examine(&session).await.map_err(|failure| failure.without_effect(&self.address))?;
                match &mut whole {
                    None => whole = Some(one),
                    Some(whole) => {
                        whole.findings.extend(one.findings);
                        whole.round_trips.extend(one.round_trips);
                        // Several machines.
                        whole.host = None;
                    }
                }
            }
            whole.ok_or_else(|| self.no_server())
        })
    }

    /// Of several servers: what holds for all of them.
    fn clock(&self) -> Option<ClockReading> {
        let mut readings = self.shards.iter().map(|shard| shard.clock().reading());
        let first = readings.next()??;
        readings.try_fold(first, |mut all, reading| {
            let reading = reading?;
            all.least = all.least.min(reading.least);
            all.most = all.most.max(reading.most);
            all.taken = all.taken.min(reading.taken);
            Some(all)
        })
    }

    fn standing(&self) -> Standing {
        match self.only() {
            Some(shard) => shard.session().map_or(Standing::Unknown, |session| session.standing()),
            None => Standing::Unguarded,
        }
    }

    fn incarnation(&self) -> Option<Incarnation> {
        self.only()?.session().ok()?.incarnation()
    }

    fn mark(self: Arc<Self>, request: MarkRequest) -> NodeFuture<Standing> {
        Box::pin(async move {
            match self.only() {
                Some(shard) => shard.change_marker(&request).await,
                None => Ok(Standing::Unguarded),
            }
        })
    }
}

impl fmt::Debug for MemcachedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedNode").field("address", &self.address).finish_non_exhaustive()
    }
}
