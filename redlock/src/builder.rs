//! How a `Locks` is put together, and what is checked before it starts.

mod error;
mod node_config;
mod node_set;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use crate::driver::Driver;
use crate::env::{Env, RealEnv, block_on, random_number};
use crate::fleet::Fleet;
use crate::id::{LockName, Ttl};
use crate::locks::Locks;
use crate::look::{self, FleetView, NodeState};
use crate::node::{Identity, Node, NodeError};
use crate::preflight::{self, Finding, FindingKind, Measure, Report};
use crate::protections::Protections;
use crate::quorum::{DriftFactor, Quorum};
use crate::settings::{DEFAULT_FENCING_RETENTION, DEFAULT_TTL, MOST_HANDOFF, Settings};

#[cfg(feature = "etcd")]
use crate::backend::etcd::EtcdConfig;
#[cfg(feature = "file")]
use crate::backend::file::FileConfig;
#[cfg(feature = "memcached")]
use crate::backend::memcached::MemcachedConfig;
#[cfg(feature = "redis")]
use crate::backend::redis::RedisConfig;
#[cfg(feature = "zookeeper")]
use crate::backend::zookeeper::ZooKeeperConfig;

pub use error::BuildError;
pub(crate) use node_config::NodeConfig;
#[cfg(all(feature = "config", feature = "redis"))]
pub(crate) use node_config::backend_of;

/// Collects nodes and settings for a [`Locks`]; [`build`](LocksBuilder::build) checks them all.
#[derive(Clone)]
#[must_use = "nothing is connected until it is built"]
pub struct LocksBuilder {
    nodes: Vec<Source>,
    prefix: Option<String>,
    quorum: Option<usize>,
    start_without_quorum: bool,
    strict: bool,
    ttl: Duration,
    max_ttl: Option<Duration>,
    drift_factor: f64,
    settings: Settings,
    env: Option<Arc<dyn Env>>,
    protections: Protections,
}

/// Where a node comes from.
#[derive(Clone)]
enum Source {
    Ready(Arc<dyn Node>),
    Url(String),
    #[allow(dead_code, reason = "a build without backends has no settings of one")]
    Config(NodeConfig),
}

impl LocksBuilder {
    pub(crate) fn new() -> Self {
        Self { max_ttl: None, ..Self::with_settings(Settings::new(DEFAULT_TTL)) }
    }

    /// No nodes, and these settings.
    pub(crate) fn with_settings(settings: Settings) -> Self {
        Self {
            nodes: Vec::new(),
            prefix: None,
            quorum: None,
            start_without_quorum: false,
            strict: false,
            ttl: settings.ttl.get(),
            max_ttl: Some(settings.max_ttl.get()),
            drift_factor: settings.drift_factor.get(),
            settings,
            env: None,
            protections: Protections::default(),
        }
    }

    /// Adds nodes by URL, whose scheme says what they are. Use an odd number, 63 at most; five tolerate two failures. A wrong URL is
    /// reported by [`build`](LocksBuilder::build).
    ///
    /// | URL | a node is |
    /// |---|---|
    /// | `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS | a Redis master: no replication, no cluster between them |
    /// | `memcached://host[:port]` | a memcached server |
    /// | `etcd://[user:password@]host[:port],...`, `etcds://` for TLS | an etcd ensemble, by some of its members |
    /// | `zookeeper://host[:port],...` | a ZooKeeper ensemble, by some of its members |
    /// | `file:///directory` | a directory on this machine |
    ///
    /// Whatever it is, each has one vote.
    pub fn nodes(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.nodes.extend(urls.into_iter().map(|url| Source::Url(url.into())));
        self
    }

    /// Adds one Redis with settings that an address cannot say: a master, one that
    /// [sentinels](RedisConfig::sentinel) name, or a [Cluster](RedisConfig::cluster). Whatever it is, it has one vote.
    #[cfg(feature = "redis")]
    pub fn redis(self, config: RedisConfig) -> Self {
        self.with_node(NodeConfig::Redis(Box::new(config)))
    }

    /// Adds one memcached, or several servers among which keys are spread. Whatever it is, it has one vote.
    #[cfg(feature = "memcached")]
    pub fn memcached(self, config: MemcachedConfig) -> Self {
        self.with_node(NodeConfig::Memcached(Box::new(config)))
    }

    /// Adds one etcd ensemble, which has one vote.
    #[cfg(feature = "etcd")]
    pub fn etcd(self, config: EtcdConfig) -> Self {
        self.with_node(NodeConfig::Etcd(Box::new(config)))
    }

    /// Adds one ZooKeeper ensemble, which has one vote.
    #[cfg(feature = "zookeeper")]
    pub fn zookeeper(self, config: ZooKeeperConfig) -> Self {
        self.with_node(NodeConfig::ZooKeeper(Box::new(config)))
    }

    /// Adds a directory: a lock between the processes of this machine.
    #[cfg(feature = "file")]
    pub fn file(self, config: FileConfig) -> Self {
        self.with_node(NodeConfig::File(Box::new(config)))
    }

    #[allow(dead_code, reason = "a build without backends has none to add")]
    pub(crate) fn with_node(mut self, config: NodeConfig) -> Self {
        self.nodes.push(Source::Config(config));
        self
    }

    /// Adds a node of any kind.
    pub fn node(mut self, node: Arc<dyn Node>) -> Self {
        self.nodes.push(Source::Ready(node));
        self
    }

    /// Adds a node in this process, of its own: a lock between tasks and threads, that ends with this `Locks`.
    #[cfg(feature = "memory")]
    pub fn memory(self) -> Self {
        self.with_node(NodeConfig::Memory)
    }

    /// The keys of the nodes given by `nodes` are `prefix:name`, or `name` where it is empty; `redlock` by
    /// default. Clients of one lock must agree on it.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// How many nodes must grant: a majority by default, never fewer. More of them tolerate fewer failures.
    pub fn quorum(mut self, size: usize) -> Self {
        self.quorum = Some(size);
        self
    }

    /// Builds also while too few nodes answer; they are tried again in the background. Until then acquiring waits, as far as
    /// its limits allow.
    pub fn start_without_quorum(mut self) -> Self {
        self.start_without_quorum = true;
        self
    }

    /// Whether what [preflight](crate::preflight) warns of refuses the build too: no by default, when it is logged once. What
    /// could not be read is no warning. Nodes that do not answer are not concerned: the quorum and
    /// [`start_without_quorum`](LocksBuilder::start_without_quorum) decide on them.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// TTL of locks that state none: 10 s by default, 10 ms to [`max_ttl`](LocksBuilder::max_ttl). See
    /// [`Lock::ttl`](crate::Lock::ttl).
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The longest TTL that is accepted (`maxExpiration`), up to 365 days: by default the larger of the TTL and 30 s.
    pub fn max_ttl(mut self, max: Duration) -> Self {
        self.max_ttl = Some(max);
        self
    }

    /// How long a node may take to answer, 1 ms at least, and never more than the TTL; by default TTL / 20 within 50 ms and 500 ms,
    /// and as many times that as a node of the slowest kind takes [steps](crate::node::Abilities::steps), up to a quarter of the TTL. It bounds every round: to acquire, to extend and to release.
    pub fn node_timeout(mut self, timeout: Duration) -> Self {
        self.settings.node_timeout = Some(timeout);
        self
    }

    /// The share of a TTL that is set aside for clocks that run at different rates: 0.01 by default, 0 to 0.5.
    pub fn drift_factor(mut self, factor: f64) -> Self {
        self.drift_factor = factor;
        self
    }

    /// About how often a waiting contender asks again while too few nodes tell it when the lock becomes free: 20 ms by
    /// default, 1 ms at least. Where they do ([`Node::watch`]), it asks when it is told. A release in this process wakes
    /// the next waiter at once.
    pub fn acquire_interval(mut self, interval: Duration) -> Self {
        self.settings.acquire_interval = interval;
        self
    }

    /// As [`Lock::retries`](crate::Lock::retries), for all locks; without limit by default.
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.max_retries = Some(retries);
        self
    }

    /// As [`Lock::wait_at_most`](crate::Lock::wait_at_most), for all locks; without limit by default.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.settings.wait_limit = Some(limit);
        self
    }

    /// As [`Lock::renew_at_most`](crate::Lock::renew_at_most), for all locks; without limit by default.
    pub fn renew_at_most(mut self, limit: Duration) -> Self {
        self.settings.renew_limit = Some(limit);
        self
    }

    /// How many times in a row a lock is handed to the next waiter of this `Locks` without asking the nodes: 128 by default, 0 is
    /// never, 256 at most.
    ///
    /// Handing over takes some microseconds, asking the nodes a release and an acquisition. The price is paid by other processes,
    /// which get their turn after so many holders, or when the lock has been in one process for 100 ms, whichever comes
    /// first: more serves this process' waiters faster, fewer is fairer to others. In this process the order is FIFO
    /// either way. Every holder has its own hold: token, validity, loss and release. It matters only to waiters in line:
    /// not to [`try_acquire`](crate::Lock::try_acquire) nor to acquisitions with [counted attempts](crate::Lock::retries).
    pub fn handoff(mut self, most: u32) -> Self {
        self.settings.handoff = most;
        self
    }

    /// Whether every acquisition brings a [fencing token](crate::Held::fencing_token): yes by default. All clients of a name
    /// must agree on it: an acquisition without a token counts nothing up.
    pub fn fencing(mut self, on: bool) -> Self {
        self.settings.fencing = on.then_some(self.settings.fencing.unwrap_or(DEFAULT_FENCING_RETENTION));
        self
    }

    /// How long nodes keep a name's fencing counter after its last use: 10 min by default. It bounds the memory that names
    /// which are never used again take.
    pub fn fencing_retention(mut self, retention: Duration) -> Self {
        self.settings.fencing = Some(retention);
        self
    }

    /// Whether nodes are kept from granting while they may have forgotten locks that are still held (restarted, flushed, promoted)
    /// and while their clocks cannot be trusted: yes by default. All clients of a name must agree on it.
    ///
    /// A node with a new memory grants nothing new for [`max_ttl`](LocksBuilder::max_ttl) and its drift; the nodes of a new fleet
    /// too, once, unless the operator says that nobody holds a lock: [`init`](LocksBuilder::init).
    pub fn restart_guard(mut self, on: bool) -> Self {
        self.settings.restart_guard = on;
        self
    }

    /// Whether the [restart guard](LocksBuilder::restart_guard) takes a Redis that has `appendfsync always` before and after a
    /// restart for one that has forgotten nothing: no by default. Only for nodes without replicas, on disks that keep what they
    /// have confirmed. Nobody may change `appendonly` or `appendfsync` while such a server runs: it is asked every 10 s or so, with
    /// `CONFIG GET`, which its ACL must allow.
    pub fn trust_aof(mut self, on: bool) -> Self {
        self.settings.trust_aof = on;
        self
    }

    /// Whether every holder leaves the name of its machine and its process id on the nodes beside the lock, for people who look
    /// ([`Locks::look`], errors, `redlock status`): yes by default. It goes away with the lock. A text of
    /// [`Lock::description`](crate::Lock::description) is left in any case.
    pub fn describe_holder(mut self, on: bool) -> Self {
        self.settings.describe_holder = on;
        self
    }

    /// The number of the node set (`nodeSet`): 0 by default. It says which of several lists of nodes, one after the other, this
    /// client has, and goes up by one when a node is added or removed while locks are held:
    /// [`change_nodes`](LocksBuilder::change_nodes). Clients with one number name the same nodes.
    pub fn node_set(mut self, number: u64) -> Self {
        self.settings.node_set = number;
        self
    }

    /// Runs on another clock, timer, random source and executor: the simulation's.
    #[cfg(feature = "testing")]
    pub fn env(mut self, env: Arc<dyn Env>) -> Self {
        self.env = Some(env);
        self
    }

    /// Switches safeguards off, to show what they are for.
    #[cfg(feature = "testing")]
    pub fn protections(mut self, protections: Protections) -> Self {
        self.protections = protections;
        self
    }

    /// Checks everything, starts the library's threads, and connects to all nodes at once.
    ///
    /// Returns when every node has answered or failed once. A minority that cannot be reached is tried again in the
    /// background; a node that refuses our credentials, or is not what it should be, is an error even if it is alone:
    /// somebody has to change a setting. So is one on which [preflight](crate::preflight) finds that locks can get lost
    /// ([`BuildError::Preflight`]).
    ///
    /// Cancel safe: a dropped future leaves no connection and no thread.
    ///
    /// # Errors
    /// [`BuildError`] says which setting or node, and what was expected.
    pub async fn build(self) -> Result<Locks, BuildError> {
        let (driver, settings) = self.connect().await?;
        if let Some(fleet) = &driver.fleet {
            fleet.look(&driver, None).await;
            if let Some((ours, theirs)) = fleet.replaced() {
                return Err(BuildError::NodeSetChanged { ours, theirs });
            }
            let nodes = fleet.misfits(&driver);
            if !nodes.is_empty() {
                return Err(BuildError::Misconfigured { nodes });
            }
        }
        Ok(Locks::start(driver, settings))
    }

    /// As [`build`](LocksBuilder::build), on the operator's word that **no client holds a lock** on these nodes: their quarantines
    /// end at once, whatever they have forgotten, and they form a new fleet with these settings. For new fleets, and after
    /// a change of `maxExpiration` or of the nodes with every client stopped. Said while somebody holds a lock, another may
    /// get it too.
    ///
    /// Not cancel safe: of a dropped future some nodes may be initialised. It can be repeated.
    ///
    /// # Errors
    /// As [`build`](LocksBuilder::build); besides [`BuildError::InitIncomplete`] unless every node has answered.
    pub async fn init(self) -> Result<Locks, BuildError> {
        let (driver, settings) = self.connect().await?;
        if let Some(fleet) = &driver.fleet {
            let patience = Duration::from_secs(5);
            let nodes = fleet.init(&driver, patience).await;
            if !nodes.is_empty() {
                return Err(BuildError::InitIncomplete { nodes });
            }
            fleet.look(&driver, None).await;
        }
        Ok(Locks::start(driver, settings))
    }

    /// Connects, and hands the nodes out as they are: a look before [`init`](LocksBuilder::init). Nothing is changed on them, and
    /// only the settings here are checked. [`Node::standing`] says what is known of each node's memory, [`Node::probe`] why one
    /// cannot be reached.
    ///
    /// Cancel safe: a dropped future leaves no connection and no thread.
    ///
    /// # Errors
    /// [`BuildError`] says which setting is wrong.
    pub async fn look(&self) -> Result<Vec<Arc<dyn Node>>, BuildError> {
        // A trusted node would have its marker renewed.
        let settings = Settings { trust_aof: false, ..self.checked_settings()? };
        Quorum::majority(self.nodes.len())?;
        let nodes = self.start_nodes(&self.environment()?, &settings)?;
        refuse_duplicates(&nodes)?;
        // An answer, or why there is none: what matters is that each has been tried.
        join_all(nodes.iter().map(|node| Arc::clone(node).probe())).await;
        Ok(nodes)
    }

    /// Judges nodes that [`look`](LocksBuilder::look) has handed out, as [`Locks::preflight`] does, also where
    /// [`build`](LocksBuilder::build) would refuse them: whose settings are not ours (another `maxExpiration`, another set of
    /// nodes) is a finding here ([`FindingKind::Unusable`]). It reads, and changes nothing.
    ///
    /// Cancel safe: dropped, nothing is left.
    ///
    /// # Errors
    /// [`BuildError`] says which setting is wrong.
    pub async fn preflight(&self, nodes: &[Arc<dyn Node>]) -> Result<Report, BuildError> {
        let settings = self.checked_settings()?;
        let quorum = self.quorum_of(nodes.len())?;
        let env = self.environment()?;
        let mut report = preflight::run(&env, nodes, Measure::new(quorum, &settings)).await;
        if settings.restart_guard {
            let ttls = (settings.ttl, settings.max_ttl);
            let drift = settings.drift_factor;
            let number = (random_number(&*env), settings.node_set);
            let fleet = Fleet::new(quorum, ttls, drift, self.protections, nodes, number);
            for error in fleet.foreign(nodes) {
                report.add(Finding::new(Some(Arc::clone(&error.node)), FindingKind::Unusable { error }));
            }
        }
        Ok(report)
    }

    /// Connects, and looks at the nodes as they are and at these names on them: for people and reports. Unlike
    /// [`build`](LocksBuilder::build) it changes nothing on them, not even the markers of new nodes; only the settings here are
    /// checked. It waits for every node; those that do not answer are shown with the reason.
    ///
    /// Cancel safe: a dropped future leaves no connection and no thread.
    ///
    /// # Errors
    /// [`BuildError`] says which setting is wrong.
    pub async fn view(&self, names: &[LockName]) -> Result<FleetView, BuildError> {
        const PATIENCE: Duration = Duration::from_secs(2);
        // A trusted node would have its marker renewed.
        let settings = Settings { trust_aof: false, ..self.checked_settings()? };
        let quorum = self.quorum_of(self.nodes.len())?;
        let env = self.environment()?;
        let nodes = self.start_nodes(&env, &settings)?;
        refuse_duplicates(&nodes)?;
        let identities = join_all(nodes.iter().map(|node| Arc::clone(node).probe())).await;
        let driver = Driver::new(env, nodes, quorum, settings.drift_factor, self.protections, None);
        let locks = names.iter().map(|name| look::look_at_all(&driver, name.clone(), PATIENCE));
        let locks = join_all(locks).await;
        let nodes = driver.nodes().iter().zip(identities);
        let nodes = nodes.map(|(node, identity)| NodeState::of(&**node, identity, &*driver.env)).collect();
        Ok(FleetView { quorum, node_set: settings.node_set, nodes, locks })
    }

    fn quorum_of(&self, nodes: usize) -> Result<Quorum, BuildError> {
        Ok(match self.quorum {
            Some(size) => Quorum::new(nodes, size)?,
            None => Quorum::majority(nodes)?,
        })
    }

    fn environment(&self) -> Result<Arc<dyn Env>, BuildError> {
        match &self.env {
            Some(env) => Ok(Arc::clone(env)),
            None => Ok(Arc::new(RealEnv::start().map_err(|error| BuildError::Threads(Arc::new(error)))?)),
        }
    }

    /// Checks the settings and connects.
    async fn connect(&self) -> Result<(Arc<Driver>, Settings), BuildError> {
        let mut settings = self.checked_settings()?;
        let quorum = self.quorum_of(self.nodes.len())?;
        let env = self.environment()?;
        let nodes = self.start_nodes(&env, &settings)?;
        refuse_duplicates(&nodes)?;
        settings.steps = nodes.iter().map(|node| node.abilities().steps).max().unwrap_or(1).max(1);
        let answers = join_all(nodes.iter().map(|node| Arc::clone(node).probe())).await;
        self.judge(quorum, &nodes, &answers)?;
        if self.protections.preflight() {
            let report =
                preflight::run_on_probed(&env, &nodes, answers, Measure::new(quorum, &settings)).await;
            let findings = report.refused(self.strict);
            if !findings.is_empty() {
                return Err(BuildError::Preflight { findings });
            }
            report.log_warnings();
        }
        let drift = settings.drift_factor;
        let fleet = settings.restart_guard.then(|| {
            let ttls = (settings.ttl, settings.max_ttl);
            Arc::new(Fleet::new(
                quorum,
                ttls,
                drift,
                self.protections,
                &nodes,
                (random_number(&*env), settings.node_set),
            ))
        });
        Ok((Driver::new(env, nodes, quorum, drift, self.protections, fleet), settings))
    }

    /// As [`build`](LocksBuilder::build), for code without an async runtime.
    ///
    /// # Errors
    /// As there.
    pub fn build_blocking(self) -> Result<crate::blocking::Locks, BuildError> {
        Ok(block_on(self.build())?.blocking())
    }

    /// As [`init`](LocksBuilder::init), for code without an async runtime.
    ///
    /// # Errors
    /// As there.
    pub fn init_blocking(self) -> Result<crate::blocking::Locks, BuildError> {
        Ok(block_on(self.init())?.blocking())
    }

    fn checked_settings(&self) -> Result<Settings, BuildError> {
        let ttl = Ttl::new(self.ttl)?;
        let mut settings = Settings { ttl, max_ttl: Settings::new(ttl).max_ttl, ..self.settings.clone() };
        if let Some(max) = self.max_ttl {
            settings.max_ttl = Ttl::new(max)?;
        }
        if ttl > settings.max_ttl {
            return Err(BuildError::TtlAboveMax { ttl: self.ttl, max: settings.max_ttl.get() });
        }
        settings.drift_factor = DriftFactor::new(self.drift_factor)?;
        if settings.handoff > MOST_HANDOFF {
            return Err(BuildError::HandoffTooLarge { handoff: settings.handoff, most: MOST_HANDOFF });
        }
        at_least_a_millisecond("acquireInterval", Some(settings.acquire_interval))?;
        at_least_a_millisecond("nodeTimeout", settings.node_timeout)?;
        Ok(settings)
    }

    fn start_nodes(&self, env: &Arc<dyn Env>, settings: &Settings) -> Result<Vec<Arc<dyn Node>>, BuildError> {
        let mut nodes: Vec<Arc<dyn Node>> = Vec::with_capacity(self.nodes.len());
        for source in &self.nodes {
            nodes.push(match source {
                Source::Ready(node) => Arc::clone(node),
                Source::Url(url) => {
                    let config = NodeConfig::from_url(url)?;
                    let config = self.prefix.iter().fold(config, |config, prefix| config.prefix(prefix));
                    config.start(nodes.len(), env, settings, self.protections)?
                }
                Source::Config(config) => config.start(nodes.len(), env, settings, self.protections)?,
            });
        }
        Ok(nodes)
    }

    fn judge(
        &self,
        quorum: Quorum,
        nodes: &[Arc<dyn Node>],
        answers: &[Result<Identity, NodeError>],
    ) -> Result<(), BuildError> {
        let mut known: Vec<(&str, &str)> = Vec::new();
        let mut failed = Vec::new();
        for (node, answer) in nodes.iter().zip(answers) {
            let identity = match answer {
                Ok(identity) => identity,
                Err(error) => {
                    failed.push(error.clone());
                    continue;
                }
            };
            let Some(instance) = &identity.instance else { continue };
            let is_same =
                |seen: &str| seen.split('+').any(|one| instance.split('+').any(|other| one == other));
            if let Some((_, first)) = known.iter().find(|(seen, _)| is_same(seen)) {
                let (first, second) = ((*first).to_owned(), node.address().to_owned());
                return Err(BuildError::SameServer { first, second });
            }
            known.push((instance, node.address()));
        }
        if failed.iter().any(|error| !error.kind.is_transient()) {
            failed.retain(|error| !error.kind.is_transient());
            return Err(BuildError::Misconfigured { nodes: failed });
        }
        if quorum.blocked_by(failed.len()) && !self.start_without_quorum {
            return Err(BuildError::NoQuorum { quorum, nodes: failed });
        }
        Ok(())
    }
}

impl fmt::Debug for LocksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses may contain passwords.
        f.debug_struct("LocksBuilder").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

fn at_least_a_millisecond(key: &'static str, value: Option<Duration>) -> Result<(), BuildError> {
    match value {
        Some(value) if value < Duration::from_millis(1) => Err(BuildError::TooShort { key, value }),
        _ => Ok(()),
    }
}

fn refuse_duplicates(nodes: &[Arc<dyn Node>]) -> Result<(), BuildError> {
    for (index, node) in nodes.iter().enumerate() {
        if nodes.iter().take(index).any(|earlier| earlier.address() == node.address()) {
            return Err(BuildError::DuplicateNode { address: node.address().to_owned() });
        }
    }
    Ok(())
}
