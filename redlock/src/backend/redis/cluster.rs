//! A Redis Cluster as one node: each request goes to the master of its name's slot.
//!
//! Every master has a [`RedisNode`] of its own, with its own connection, clock and deadlines. What is here finds out
//! which of them keeps what, and never has two copies of one request in flight.

mod map;
mod watch;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use fred::util::redis_keyslot;
use futures::future::{Either, join_all, select};
use tokio::sync::{Notify, oneshot};

use super::config::{RedisConfig, RedisConfigError};
use super::place::{Address, Place};
use super::{RedisNode, keys, load_tls};
use crate::env::Env;
use crate::id::{Instant, LockName};
use crate::node::{
    Abilities, AcquireRequest, ClockReading, Examination, ExtendRequest, FindingKind, Identity, Inspection,
    Node, NodeError, NodeErrorKind, NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply, Watch,
};
use crate::protections::Protections;
use map::{Map, View};
use watch::Shared;

/// A Redis Cluster as one node of the lock, given by [`RedisConfig::cluster`].
///
/// It keeps one connection to each master, as [`RedisNode`] does, and looks at the slots again when a member says that a
/// name has moved, when a connection is lost, and while a master cannot be reached; at most twenty times a second. A
/// request for a name that has moved is sent once more, to its new master. Dropping the last reference closes all
/// connections.
///
/// [`RedisConfig::cluster`] says what a Cluster does not guarantee. It keeps no marker: the
/// [restart guard](crate::LocksBuilder::restart_guard) does not cover it. Besides what a [`RedisNode`] needs, the ACL user
/// needs `CLUSTER SLOTS`.
pub struct RedisClusterNode {
    address: Arc<str>,
    shared: Arc<Shared>,
    /// Dropping it ends the task that looks at the slots.
    _stop: oneshot::Sender<()>,
}

impl RedisClusterNode {
    /// Begins to connect. Returns at once; [`Node::probe`] waits for the outcome.
    ///
    /// # Errors
    /// [`RedisConfigError`] if the configuration cannot work whatever the servers do, or is not that of a Cluster.
    pub fn start(
        config: RedisConfig,
        env: Arc<dyn Env>,
        protections: Protections,
    ) -> Result<Arc<Self>, RedisConfigError> {
        config.validate()?;
        let Place::Cluster { seeds } = config.place.clone() else {
            return Err(RedisConfigError::Topology { expected: "a Cluster; one master is a RedisNode" });
        };
        let tls = load_tls(&config)?;
        let address = config.address().into();
        let shared = Arc::new(Shared {
            config,
            tls,
            protections,
            env,
            seeds,
            view: tokio::sync::watch::Sender::new(View::Starting),
            look: Notify::new(),
            informant: Mutex::new(None),
            retired: Mutex::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        shared.env.spawn(Box::pin(watch::keep(Arc::clone(&shared), stopped)));
        Ok(Arc::new(Self { address, shared, _stop: stop }))
    }

    /// Sends a request to the master of the name's slot; returns its answer with who has given it.
    async fn route<T>(
        &self,
        name: &LockName,
        send: impl Fn(Arc<RedisNode>) -> NodeFuture<T>,
    ) -> Result<(T, Arc<RedisNode>), NodeError> {
        let slot = redis_keyslot(&keys::main(&self.shared.config.prefix, name));
        let map = self.map()?;
        let first = self.master(&map, slot)?;
        let error = match send(Arc::clone(&first)).await {
            Ok(answer) => return Ok((answer, first)),
            Err(error) if error.kind == NodeErrorKind::Moved => error,
            Err(error) => return Err(self.failed(error)),
        };
        // It has had no effect. Whoever says that a slot has moved knows where to.
        self.shared.look_at_slots(first.server());
        let next = self.after(&map, slot).await;
        match next.filter(|next| !Arc::ptr_eq(next, &first)) {
            Some(next) => match send(Arc::clone(&next)).await {
                Ok(answer) => Ok((answer, next)),
                Err(error) => Err(self.failed(error)),
            },
            None => Err(self.failed(error)),
        }
    }

    /// Who keeps the slot after the next look at the Cluster; `None` if it does not come in time.
    async fn after(&self, old: &Arc<Map>, slot: u16) -> Option<Arc<RedisNode>> {
        let mut view = self.shared.view.subscribe();
        let newer = |view: &View| matches!(view, View::Known(map) if !Arc::ptr_eq(map, old));
        let limit = self.shared.env.now().saturating_add(self.shared.config.connect_timeout);
        let changed = std::pin::pin!(view.wait_for(newer));
        match select(changed, self.shared.env.sleep_until(limit)).await {
            Either::Left((Ok(view), _)) => match &*view {
                View::Known(map) => map.master(slot).cloned(),
                _ => None,
            },
            _ => None,
        }
    }

    fn map(&self) -> Result<Arc<Map>, NodeError> {
        match &*self.shared.view.borrow() {
            View::Known(map) => Ok(Arc::clone(map)),
            View::Starting => Err(NodeError::without_effect(
                &self.address,
                NodeErrorKind::Unreachable,
                "not connected: the first look at the Cluster's slots is under way",
            )),
            View::Unknown(failure) => Err(failure.without_effect(&self.address)),
        }
    }

    fn master(&self, map: &Map, slot: u16) -> Result<Arc<RedisNode>, NodeError> {
        map.master(slot).cloned().ok_or_else(|| {
            self.shared.look.notify_one();
            let detail = format!("no master of the Cluster keeps slot {slot} now");
            NodeError::without_effect(&self.address, NodeErrorKind::NotReady, detail)
        })
    }

    /// An error of one master, as one of the Cluster; where another look at the slots may help, it is taken.
    fn failed(&self, error: NodeError) -> NodeError {
        use NodeErrorKind::{Disconnected, Moved, NotReady, ReadOnly, Unreachable};
        if matches!(error.kind, Disconnected | Moved | NotReady | ReadOnly | Unreachable) {
            self.shared.look.notify_one();
        }
        let (kind, detail) = match error.kind {
            Moved => (NotReady, "the name's slot is changing masters, and its new one is not known yet"),
            kind => (kind, &error.detail[..]),
        };
        let detail = format!("master {}: {detail}", error.node);
        NodeError { node: Arc::clone(&self.address), kind, detail, ..error }
    }

    /// Whether no master but the one that has answered can still run a request that was to be run by `unsettled`: the slot
    /// may have been another's when it was sent. Judged by the other masters' time as their last answers have shown it.
    fn is_over_elsewhere(&self, unsettled: Instant, answered: &Arc<RedisNode>) -> bool {
        if !self.shared.protections.settle_everywhere() {
            return true;
        }
        let now = self.shared.env.now();
        let Ok(map) = self.map() else { return false };
        let mut others = map.masters().iter().filter(|master| !Arc::ptr_eq(master, answered));
        let retired = *self.shared.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = std::time::Duration::from_micros(retired);
        now > unsettled.saturating_add(behind)
            && others.all(|other| {
                let clock = other.times();
                clock
                    .settled_after(unsettled)
                    .is_none_or(|settled| clock.at(now).is_some_and(|at| at > settled))
            })
    }
}

impl RedisNode {
    /// Where it connects to.
    fn server(&self) -> Address {
        Address { host: self.shared.config.host.clone(), port: self.shared.config.port }
    }
}

impl Node for RedisClusterNode {
    fn address(&self) -> &str {
        &self.address
    }

    fn abilities(&self) -> Abilities {
        Abilities { notification: true, descriptions: true, ..Abilities::default() }
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        Box::pin(async move {
            let mut view = self.shared.view.subscribe();
            // The sender lives in `self`, so that this cannot fail.
            drop(view.wait_for(|view| !matches!(view, View::Starting)).await);
            let map = self.map()?;
            let answers = join_all(map.masters().iter().map(|master| Arc::clone(master).probe())).await;
            let (known, mut failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
            // What waiting does not heal comes first.
            failed.sort_by_key(|answer| answer.as_ref().is_err_and(|error| error.kind.is_transient()));
            match failed.into_iter().next() {
                Some(failed) => failed.map_err(|error| self.failed(error)),
                None => Ok(combined(known.into_iter().flatten())),
            }
        })
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        Box::pin(
            async move { Ok(self.route(&request.name, |master| master.acquire(request.clone())).await?.0) },
        )
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        Box::pin(
            async move { Ok(self.route(&request.name, |master| master.extend(request.clone())).await?.0) },
        )
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        Box::pin(
            async move { Ok(self.route(&request.name, |master| master.raise(request.clone())).await?.0) },
        )
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        Box::pin(async move {
            let (released, by) = self.route(&request.name, |master| master.release(request.clone())).await?;
            let elsewhere = request.unsettled.is_none_or(|unsettled| self.is_over_elsewhere(unsettled, &by));
            Ok(Released { settled: released.settled && elsewhere, ..released })
        })
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        Box::pin(async move { Ok(self.route(&name, |master| master.inspect(name.clone())).await?.0) })
    }

    /// By the master of the name's slot. When the slot moves, whoever waits is told late, or by looking again.
    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        Box::pin(async move { Ok(self.route(&name, |master| master.watch(name.clone())).await?.0) })
    }

    /// What is found at its masters, once each. That they are members of a Cluster is as it should be here.
    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        Box::pin(async move {
            let map = self.map()?;
            let answers = map.masters().iter().map(|master| Arc::clone(master).examine());
            let mut all = Examination::default();
            for answer in join_all(answers).await {
                let Examination { findings, eviction_policy, clock, round_trips, .. } =
                    answer.map_err(|error| self.failed(error))?;
                for finding in findings {
                    let is_known = all.findings.iter().any(|known| known.to_string() == finding.to_string());
                    if !is_known && !matches!(finding, FindingKind::ClusterMember) {
                        all.findings.push(finding);
                    }
                }
                all.eviction_policy = all.eviction_policy.or(eviction_policy);
                all.clock = all.clock.or(clock);
                all.round_trips.extend(round_trips);
            }
            Ok(all)
        })
    }

    /// That of one of its masters, always the same as long as it is one: readings of several clocks would look like one that
    /// jumps.
    fn clock(&self) -> Option<ClockReading> {
        let map = self.map().ok()?;
        let readings = map.masters().iter().filter_map(|master| Some((master.address(), master.clock()?)));
        readings.min_by_key(|&(address, _)| address).map(|(_, reading)| reading)
    }
}

/// One Cluster is told from another by all its masters together.
fn combined(masters: impl Iterator<Item = Identity>) -> Identity {
    let (mut instances, mut versions) = (Vec::new(), Vec::new());
    for master in masters {
        instances.extend(master.instance);
        versions.extend(master.version);
    }
    instances.sort_unstable();
    versions.sort_unstable();
    versions.dedup();
    Identity { instance: Some(instances.join("+")), version: Some(versions.join(", ")), ceiling: None }
}

impl fmt::Debug for RedisClusterNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisClusterNode").field("address", &self.address).finish_non_exhaustive()
    }
}
