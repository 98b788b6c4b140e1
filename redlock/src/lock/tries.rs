//! The attempts of one acquisition: rounds to the nodes, and the pauses between them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::Lock;
use crate::driver::{Attempt, RoundFailure, Watching};
use crate::env::{Env, jitter};
use crate::error::{AcquireError, NodeReport};
use crate::guard::LockGuard;
use crate::holder::Introduction;
use crate::id::{Instant, LockName, Ttl};
use crate::lease::{Lease, Terms};
use crate::locks::Core;
use crate::look;
use crate::queue::{Look, Turn};
use crate::quorum::{Backoff, Situation};
use crate::telemetry::{Acquisition, Outcome};
use crate::tenure::Tenure;

/// The attempts of one acquisition.
pub(super) struct Tries<'a> {
    lock: &'a Lock,
    core: &'a Arc<Core>,
    attempt: Attempt,
    backoff: Backoff,
    watching: Watching,
    started: Instant,
    made: u32,
    /// How long the latest round took.
    round: Duration,
    pub(super) watch: Acquisition<'a>,
}

impl<'a> Tries<'a> {
    pub(super) fn new(
        lock: &'a Lock,
        core: &'a Arc<Core>,
        name: LockName,
        ttl: Ttl,
        started: Instant,
        give_up_at: Option<Instant>,
    ) -> Self {
        let driver = &core.driver;
        let watch = Acquisition::begin(&driver.meters, &*driver.env, started, &name);
        let settings = &core.settings;
        let node_timeout = settings.node_timeout(ttl);
        let fencing = settings.fencing;
        let handoff = core.handoff(lock.handoff);
        // The switch takes it all away: what nodes are asked for, and that a lost lock is not released.
        let takeover_delay =
            if driver.protections.takeover_delay() { lock.takeover_delay } else { Duration::ZERO };
        let introduction = Introduction::new(core.by.clone(), lock.description.clone());
        let attempt = Attempt {
            name,
            ttl,
            node_timeout,
            takeover_delay,
            fencing,
            handoff,
            give_up_at,
            earlier_owner: None,
            introduction,
        };
        let backoff = Backoff::new(settings.acquire_interval);
        let watching = Watching::new(driver, &attempt.name);
        Self { lock, core, attempt, backoff, watching, started, made: 0, round: Duration::ZERO, watch }
    }

    fn name(&self) -> &LockName {
        &self.attempt.name
    }

    /// One round.
    pub(super) async fn once(&mut self) -> Result<Result<LockGuard, RoundFailure>, AcquireError> {
        let core = self.core;
        if core.is_closed() {
            self.watch.end(Outcome::Failed);
            return Err(AcquireError::ShutDown);
        }
        if let Some((ours, theirs)) = core.driver.fleet.as_ref().and_then(|fleet| fleet.replaced()) {
            self.watch.end(Outcome::Failed);
            return Err(AcquireError::NodeSetChanged { ours, theirs });
        }
        self.made = self.made.saturating_add(1);
        self.watch.round();
        let began = core.driver.env.now();
        let held = match core.driver.acquire(self.attempt.clone()).await {
            Ok(Ok(held)) => held,
            Ok(Err(failure)) => {
                self.round = core.driver.env.now().saturating_since(began);
                self.attempt.earlier_owner = Some(failure.owner);
                return Ok(Err(failure));
            }
            Err(error) => {
                self.watch.end(Outcome::Failed);
                return Err(error.into());
            }
        };
        let Attempt { fencing, handoff, .. } = self.attempt;
        let lease = Lease::new(Arc::clone(&core.driver), held, &self.terms(), fencing, handoff);
        let hold = lease.hold();
        self.watch.acquired(hold.token());
        Ok(Ok(LockGuard::new(Box::new(Tenure::new(Arc::clone(core), lease)), hold)))
    }

    fn terms(&self) -> Terms {
        let introduction = self.attempt.introduction.clone();
        Terms { ttl: self.attempt.ttl, renew_limit: self.lock.renew_limit, introduction }
    }

    /// Waits at the head of the line as long as there is no need to ask the nodes: a holder of this process has the lock, or has
    /// released it and others are to have their turn.
    ///
    /// Cancel safe: what is handed over and not taken stays in the line; what was taken is released.
    pub(super) async fn in_line(&mut self, turn: &Turn<'_>) -> Result<Place, AcquireError> {
        let core = self.core;
        let env = &*core.driver.env;
        loop {
            if core.is_closed() {
                self.watch.end(Outcome::Failed);
                return Err(AcquireError::ShutDown);
            }
            let (lease, until) = match turn.look(env.now()) {
                Look::Offered(tenure) => match self.take(tenure).await {
                    Some(guard) => return Ok(Place::Handed(guard)),
                    None => continue,
                },
                Look::Held(lease) => (Some(lease), None),
                Look::Yield(until) => (None, Some(until)),
                Look::Free => return Ok(Place::Free),
            };
            let over = async {
                match (&lease, until) {
                    (Some(lease), _) => {
                        if lease.lost().await.is_none() {
                            // Whoever releases it tells; but its future may have been left standing.
                            env.sleep_until(env.now().saturating_add(self.attempt.node_timeout)).await;
                        }
                        turn.forget(lease);
                    }
                    (None, Some(until)) => env.sleep_until(until).await,
                    (None, None) => {}
                }
            };
            let next = async {
                tokio::select! {
                    biased;
                    () = turn.told() => {}
                    () = core.closed() => {}
                    () = over => {}
                }
            };
            match self.attempt.give_up_at {
                None => next.await,
                Some(limit) => {
                    if before(env, limit, next).await.is_none() {
                        return Ok(Place::TooLate);
                    }
                }
            }
        }
    }

    /// Begins a hold of a lease that was handed over, which is extended first if too little of its validity is left. `None`: it
    /// is released.
    async fn take(&mut self, tenure: Box<Tenure>) -> Option<LockGuard> {
        let lease = Arc::clone(tenure.lease());
        if self.attempt.handoff.is_none() || lease.owned().takeover_delay != self.attempt.takeover_delay {
            return None;
        }
        let terms = self.terms();
        let hold = match lease.begin(&terms) {
            Some(hold) => hold,
            None => {
                let extended = lease.extend_for(terms.ttl);
                let extended = match self.attempt.give_up_at {
                    None => extended.await,
                    Some(limit) => before(&*self.core.driver.env, limit, extended).await?,
                };
                extended.ok()?;
                lease.begin(&terms)?
            }
        };
        self.watch.acquired(hold.token());
        Some(LockGuard::new(tenure, hold))
    }

    /// Pauses until the next attempt is worth it: the nodes tell that the lock may be free, it is released in this process,
    /// or it is time to ask without being told. `false` if there is to be none.
    pub(super) async fn pause(&mut self, turn: Option<&Turn<'_>>, situation: Situation) -> bool {
        if self.lock.max_retries.is_some_and(|retries| self.made > retries) {
            return false;
        }
        let core = self.core;
        let env = &*core.driver.env;
        let mut poll_at = env.now().saturating_add(self.backoff.pause(situation, jitter(env)));
        // Counted attempts are to last as long as the interval says; and where no quorum answers, none tells either.
        let told = self.lock.max_retries.is_none() && situation != Situation::Unreachable;
        let limit = self.attempt.give_up_at;
        loop {
            let watching = &mut self.watching;
            let next = async {
                tokio::select! {
                    biased;
                    () = released(turn) => Next::Now,
                    () = core.closed() => Next::Now,
                    is_told = watching.until_free(poll_at), if told => if is_told { Next::Told } else { Next::Now },
                    () = env.sleep_until(poll_at), if !told => Next::Now,
                }
            };
            let next = match limit.filter(|limit| told || *limit <= poll_at) {
                None => Some(next.await),
                // Too late for another attempt, unless the lock becomes free before the limit.
                Some(limit) => before(env, limit, next).await,
            };
            let Some(Next::Told) = next else { return next.is_some() };
            let now = env.now();
            let pause = self.backoff.pause_when_woken(now, self.round, jitter(env));
            if pause.is_zero() {
                return true;
            }
            let spread = now.saturating_add(pause);
            // Here, too, what comes too late for another attempt is none.
            let late = limit.filter(|limit| *limit <= spread);
            if before(env, late.unwrap_or(spread), released(turn)).await.is_some() {
                return true;
            }
            if late.is_some() {
                return false;
            }
            // Whoever was first has it by now; a round would only cost it votes of others.
            let look = self.watching.still_free();
            let free = match limit {
                None => Some(look.await),
                Some(limit) => before(env, limit, look).await,
            };
            match free {
                Some(true) => return true,
                Some(false) => {}
                None => return false,
            }
            poll_at = env.now().saturating_add(self.backoff.taken_meanwhile(jitter(env)));
        }
    }

    /// Others of this process were first all the time; no node was asked.
    pub(super) async fn never_first(&mut self) -> AcquireError {
        self.busy(Vec::new()).await
    }

    /// Somebody else has it: one look at the nodes says who.
    async fn busy(&mut self, nodes: Vec<NodeReport>) -> AcquireError {
        self.watch.end(Outcome::Busy);
        let (name, waited, attempts) = (self.name().clone(), self.waited(), self.made);
        let view = look::look(&self.core.driver, name.clone(), self.attempt.node_timeout).await;
        let holder = view.holder().map(Box::new);
        AcquireError::Busy { name, waited, attempts, holder, nodes }
    }

    pub(super) async fn error(&mut self, failure: RoundFailure) -> AcquireError {
        let nodes = failure.nodes;
        match failure.situation {
            Situation::Unreachable => {
                let (name, waited, attempts) = (self.name().clone(), self.waited(), self.made);
                self.watch.end(Outcome::Unavailable);
                AcquireError::Unavailable { name, waited, attempts, nodes }
            }
            Situation::Held { .. } | Situation::Split => self.busy(nodes).await,
        }
    }

    fn waited(&self) -> Duration {
        self.core.driver.env.now().saturating_since(self.started)
    }
}

/// Why a pause has ended.
enum Next {
    /// A quorum of nodes may be free; others may have been told at the same moment.
    Told,
    /// Whatever the nodes say.
    Now,
}

/// What came of waiting at the head of the line.
pub(super) enum Place {
    /// The holder before has handed the lock over.
    Handed(LockGuard),
    /// The nodes are to be asked.
    Free,
    /// The limit of the acquisition has passed.
    TooLate,
}

/// Completes when the lock was released in this process, or handed over.
async fn released(turn: Option<&Turn<'_>>) {
    match turn {
        Some(turn) => turn.told().await,
        None => std::future::pending().await,
    }
}

/// What `future` returns, if it does so before `at`.
pub(super) async fn before<T>(env: &dyn Env, at: Instant, future: impl Future<Output = T>) -> Option<T> {
    let limit = env.sleep_until(at);
    tokio::select! {
        biased;
        value = future => Some(value),
        () = limit => None,
    }
}
