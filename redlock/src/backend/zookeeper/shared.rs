//! What a node's requests and its background tasks share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join;
use tokio::sync::watch;
use zookeeper_client::{Acls, MultiWriteResult};

use super::config::ZooKeeperConfig;
use super::failure::Failure;
use super::leases::Leases;
use super::opening::number;
use super::paths::Tree;
use super::queue::Places;
use super::session::Session;
use super::sweep::Used;
use crate::env::Env;
use crate::id::Instant;
use crate::node::dispatch::Dispatch;
use crate::node::{ClockReading, Identity, NodeError, NodeErrorKind};
use crate::protections::Protections;

pub(super) struct Shared {
    pub(super) address: Arc<str>,
    pub(super) env: Arc<dyn Env>,
    pub(super) config: ZooKeeperConfig,
    pub(super) protections: Protections,
    pub(super) tree: Tree,
    pub(super) dispatch: Arc<Dispatch>,
    pub(super) leases: Leases,
    pub(super) places: Places,
    pub(super) used: Used,
    pub(super) phase: watch::Sender<Phase>,
    clock: Mutex<Option<ClockReading>>,
    /// No fencing counter is above this, as was last read or written; 0: not read.
    top: AtomicU64,
    identity: Mutex<Identity>,
    /// The markers of sessions that may still have something under way.
    former: Mutex<Vec<String>>,
}

/// How the node stands to its ensemble.
#[derive(Clone)]
pub(super) enum Phase {
    /// The first attempt goes on.
    Beginning,
    Up(Arc<Session>),
    /// There is no session; attempts go on.
    Down(Failure),
}

impl Shared {
    pub(super) fn new(config: ZooKeeperConfig, env: Arc<dyn Env>, protections: Protections) -> Self {
        let address: Arc<str> = config.address().into();
        Self {
            dispatch: Dispatch::new(&address, &env),
            tree: Tree::new(&config.folder, &config.prefix),
            leases: Leases::default(),
            places: Places::default(),
            used: Used::default(),
            phase: watch::Sender::new(Phase::Beginning),
            clock: Mutex::default(),
            top: AtomicU64::new(0),
            identity: Mutex::default(),
            former: Mutex::default(),
            address,
            env,
            config,
            protections,
        }
    }

    /// The session, connected. Waits for the outcome of the first attempt, and for nothing else.
    pub(super) async fn session(&self) -> Result<Arc<Session>, NodeError> {
        let mut phases = self.phase.subscribe();
        loop {
            let phase = phases.borrow_and_update().clone();
            match phase {
                Phase::Up(session) if session.is_connected() => return Ok(session),
                Phase::Up(_) => {
                    let detail = "not connected to any member of the ensemble at the moment";
                    return Err(self.error(NodeErrorKind::Unreachable, detail));
                }
                Phase::Down(failure) => return Err(failure.without_effect(&self.address)),
                // The sender is in `self`.
                Phase::Beginning => drop(phases.changed().await),
            }
        }
    }

    /// An error of a request that was not sent.
    pub(super) fn error(&self, kind: NodeErrorKind, detail: impl Into<String>) -> NodeError {
        NodeError::without_effect(&self.address, kind, detail)
    }

    /// An error of a request that has changed nothing.
    pub(super) fn failed(&self, error: zookeeper_client::Error) -> NodeError {
        Failure::from(error).without_effect(&self.address)
    }

    pub(super) fn acls(&self) -> Acls<'static> {
        if self.config.login.is_some() { Acls::creator_all() } else { Acls::anyone_all() }
    }

    /// Refuses a TTL that the session cannot carry.
    pub(super) fn check_ttl(&self, session: &Session, ttl: Duration) -> Result<(), NodeError> {
        let needed = ttl.saturating_add(self.config.overhead());
        if session.timeout >= needed {
            return Ok(());
        }
        let advice = if session.timeout < self.config.requested() {
            "the servers grant no longer one: raise maxSessionTimeout there, or lower the TTL and maxExpiration"
        } else {
            "raise sessionTimeout, or lower the TTL"
        };
        let detail = format!(
            "the session lasts {:?}, but a lock of {ttl:?} needs one of {needed:?} (the TTL and 1.5 x touchDelay): {advice}",
            session.timeout,
        );
        Err(self.error(NodeErrorKind::Unsupported, detail))
    }

    /// What the leader's clock shows, as far as it is known here.
    pub(super) fn clock(&self) -> Option<ClockReading> {
        *lock(&self.clock)
    }

    /// The leader's time in microseconds; 0 before it has told any.
    pub(super) fn leader_micros(&self) -> u64 {
        self.clock().map_or(0, |clock| clock.at(self.env.now()))
    }

    /// Takes the leader's time out of the answer to a write: when it was ordered, in whole milliseconds.
    pub(super) fn saw_time(&self, millis: i64, sent: Instant) {
        let Ok(millis) = u64::try_from(millis) else { return };
        let received = self.env.now();
        let (early, late) = (millis.saturating_mul(1_000), millis.saturating_mul(1_000).saturating_add(999));
        let least = ClockReading::new(early, sent, received).least;
        let most = ClockReading::new(late, sent, received).most;
        *lock(&self.clock) = Some(ClockReading { least, most, taken: received });
    }

    pub(super) fn saw_results(&self, results: &[MultiWriteResult], sent: Instant) {
        let time = results.iter().find_map(|result| match result {
            MultiWriteResult::Create { stat, .. } | MultiWriteResult::SetData { stat }
                if !stat.is_invalid() =>
            {
                Some(stat.mtime)
            }
            _ => None,
        });
        if let Some(millis) = time {
            self.saw_time(millis, sent);
        }
    }

    pub(super) fn top(&self) -> u64 {
        self.top.load(Ordering::SeqCst)
    }

    /// What no fencing counter is above, read anew.
    pub(super) async fn ceiling(&self) -> Result<u64, NodeError> {
        let (session, path) = (self.session().await?, self.tree.top());
        let (synced, found) = join(session.client.sync(&path), session.client.get_data(&path)).await;
        let (data, _) = synced.and(found).map_err(|error| self.failed(error))?;
        self.saw_top(number(&data));
        Ok(self.top())
    }

    pub(super) fn identity(&self) -> Identity {
        lock(&self.identity).clone()
    }

    pub(super) fn saw_identity(&self, identity: Identity) {
        *lock(&self.identity) = identity;
    }

    /// It never falls.
    pub(super) fn saw_top(&self, top: u64) {
        self.top.fetch_max(top, Ordering::SeqCst);
    }

    pub(super) fn former(&self) -> MutexGuard<'_, Vec<String>> {
        lock(&self.former)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
