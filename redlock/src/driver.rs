//! Carries rounds to the nodes: fan-out, per-node timeouts, stragglers, releases. The only place that spawns.
//!
//! A round is polled in the caller's task, so that it costs no hop. What is still in flight when the caller has its
//! answer, or has gone, is adopted by a task in the background: no request is ever forgotten.

mod acquire;
mod adoption;
mod extend;
mod fanout;
mod flight;
mod gate;
mod release;
mod survey;
mod watching;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Notify;

use crate::env::Env;
use crate::error::{NodeReport, NodeVote};
use crate::fleet::Fleet;
use crate::id::{Instant, LockName, OwnerToken, Ttl};
use crate::node::{Node, NodeError, Reply};
use crate::protections::Protections;
use crate::quorum::{Claim, DriftFactor, Quorum};
use crate::telemetry::Meters;

pub(crate) use acquire::{Attempt, Held, RoundFailure};
use adoption::Adoption;
pub(crate) use extend::Extension;
pub(crate) use release::ReleaseResult;
pub(crate) use watching::Watching;

/// The nodes of one `Locks`, and what is under way to them.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) env: Arc<dyn Env>,
    pub(crate) quorum: Quorum,
    pub(crate) drift: DriftFactor,
    pub(crate) protections: Protections,
    nodes: Vec<Arc<dyn Node>>,
    /// The nodes' addresses, shared with every report.
    addresses: Arc<[Arc<str>]>,
    /// Whether no node needs a poll between the sending of a request and its answer.
    may_wait_for_several: bool,
    /// The guard over the nodes, where there is one.
    pub(crate) fleet: Option<Arc<Fleet>>,
    pub(crate) meters: Meters,
    background: Arc<Background>,
    adoption: Arc<Adoption>,
}

impl Driver {
    pub(crate) fn new(
        env: Arc<dyn Env>,
        nodes: Vec<Arc<dyn Node>>,
        quorum: Quorum,
        drift: DriftFactor,
        protections: Protections,
        fleet: Option<Arc<Fleet>>,
    ) -> Arc<Self> {
        let addresses: Arc<[Arc<str>]> = nodes.iter().map(|node| node.address().into()).collect();
        let may_wait_for_several =
            nodes.len() > 1 && nodes.iter().all(|node| node.abilities().wakes_when_answered);
        let meters = Meters::new(&addresses);
        let adoption = Adoption::start(&env);
        let background = Arc::new(Background {
            running: AtomicUsize::new(0),
            ended: Notify::new(),
            meters: meters.clone(),
        });
        Arc::new(Self {
            env,
            quorum,
            drift,
            protections,
            nodes,
            addresses,
            may_wait_for_several,
            fleet,
            meters,
            background,
            adoption,
        })
    }

    pub(crate) fn nodes(&self) -> &[Arc<dyn Node>] {
        &self.nodes
    }

    /// How long a node may keep the key of a lock with this TTL, by our clock.
    fn keeps_for(&self, ttl: Ttl) -> Duration {
        ttl.get().saturating_add(self.drift.allowance(ttl))
    }

    /// Runs a task to its end in the background, and counts it until then.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.env.spawn(self.counted(task));
    }

    /// The same for a task that nobody is in a hurry for: it begins a moment later, together with others.
    fn adopt(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.adoption.adopt(self.counted(task));
    }

    /// The task, counted from now on until it has ended or was dropped.
    fn counted(&self, task: impl Future<Output = ()> + Send + 'static) -> BoxFuture<'static, ()> {
        let running = Running::new(&self.background);
        Box::pin(async move {
            task.await;
            drop(running);
        })
    }

    /// Runs a task that lasts as long as its owner, and so is never waited for.
    pub(crate) fn spawn_service(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.env.spawn(Box::pin(task));
    }

    /// How many tasks run in the background.
    pub(crate) fn background_tasks(&self) -> usize {
        self.background.running.load(Ordering::SeqCst)
    }

    /// Waits until no task runs in the background.
    pub(crate) async fn idle(&self) {
        loop {
            let changed = self.background.ended.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.background_tasks() == 0 {
                return;
            }
            changed.await;
        }
    }

    /// The median of the nodes' times, in microseconds, as far as they are known: what fencing counters follow. 0: unknown.
    fn hint(&self) -> u64 {
        let now = self.env.now();
        let mut all = [0; Quorum::MAX_NODES];
        let mut count = 0;
        let known = self.nodes.iter().filter_map(|node| Some(node.clock()?.at(now)));
        for (slot, clock) in all.iter_mut().zip(known) {
            (*slot, count) = (clock, count + 1);
        }
        let clocks = &mut all[..count];
        clocks.sort_unstable();
        clocks.get(count / 2).copied().unwrap_or(0)
    }

    /// What a node's answer counts for.
    fn weigh(&self, node: usize, answer: Result<Reply, NodeError>) -> Result<Reply, NodeError> {
        let answer = match &self.fleet {
            None => answer,
            Some(fleet) => {
                let reading = self.nodes[node].clock();
                fleet.weigh(node, &self.addresses[node], reading, self.env.now(), answer)
            }
        };
        self.meters.voted(node, &answer);
        answer
    }

    /// How many times our own clock was found wrong.
    pub(crate) fn own_moves(&self) -> u64 {
        self.fleet.as_ref().map_or(0, |fleet| fleet.own_moves())
    }

    /// What each node said, for an error.
    fn report(&self, votes: impl IntoIterator<Item = NodeVote>) -> Vec<NodeReport> {
        let nodes = self.addresses.iter().map(Arc::clone);
        nodes.zip(votes).map(|(node, vote)| NodeReport { node, vote }).collect()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.adoption.close();
    }
}

#[derive(Debug)]
struct Background {
    running: AtomicUsize,
    ended: Notify,
    meters: Meters,
}

/// Counts as one running task until it is dropped.
struct Running(Arc<Background>);

impl Running {
    fn new(background: &Arc<Background>) -> Self {
        background.running.fetch_add(1, Ordering::SeqCst);
        background.meters.unsettled();
        Self(Arc::clone(background))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.meters.settled();
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

/// One owner token and what it may have left on the nodes, shared by all who ask in its name.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) name: LockName,
    pub(crate) owner: OwnerToken,
    /// How long a node may take to answer.
    node_timeout: Duration,
    /// How much longer than its validity nodes keep it where it is not released.
    pub(crate) takeover_delay: Duration,
    claim: Mutex<Claim>,
    /// An awaited acquire has ended.
    changed: Notify,
}

impl Owned {
    fn new(attempt: &Attempt, owner: OwnerToken, quorum: Quorum) -> Arc<Self> {
        let Attempt { node_timeout, takeover_delay, .. } = *attempt;
        let (name, claim) = (attempt.name.clone(), Mutex::new(Claim::new(quorum)));
        Arc::new(Self { name, owner, node_timeout, takeover_delay, claim, changed: Notify::new() })
    }

    /// What nodes are asked for where the validity counts from `ttl`.
    fn on_nodes(&self, ttl: Ttl) -> Ttl {
        Ttl::new(ttl.get().saturating_add(self.takeover_delay)).unwrap_or(ttl)
    }

    fn claim(&self) -> MutexGuard<'_, Claim> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer of one node to one request.
pub(crate) type Answered<T> = (usize, Result<T, NodeError>);

/// The earlier of two points, where the second may be absent.
fn earlier(at: Instant, limit: Option<Instant>) -> Instant {
    limit.map_or(at, |limit| limit.min(at))
}
