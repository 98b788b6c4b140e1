//! One lock by name: how it is acquired.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::{Attempt, RoundFailure};
use crate::env::jitter;
use crate::error::{AcquireError, RunError};
use crate::guard::{Held, LockGuard};
use crate::id::{Instant, InvalidName, LockName, Ttl};
use crate::lease::Lease;
use crate::locks::Core;
use crate::queue::Turn;
use crate::quorum::{Backoff, Situation};

/// A lock, not acquired yet: [`acquire`](Lock::acquire), [`try_acquire`](Lock::try_acquire) or [`run`](Lock::run) it.
///
/// Making one costs nothing and touches no node. Settings that are not overridden are those of its `Locks`.
#[derive(Debug, Clone)]
#[must_use = "a lock does nothing until it is acquired"]
pub struct Lock {
    core: Arc<Core>,
    /// A name that cannot be used is reported when the lock is acquired.
    name: Result<LockName, InvalidName>,
    ttl: Duration,
    max_retries: Option<u32>,
    wait_limit: Option<Duration>,
    renew_limit: Option<Duration>,
}

impl Lock {
    pub(crate) fn new(core: Arc<Core>, name: Result<LockName, InvalidName>) -> Self {
        let settings = &core.settings;
        let ttl = settings.ttl.get();
        let (max_retries, wait_limit) = (settings.max_retries, settings.wait_limit);
        let renew_limit = settings.renew_limit;
        Self { name, ttl, max_retries, wait_limit, renew_limit, core }
    }

    /// How long nodes keep the lock without renewal: 10 ms to `maxExpiration`. A holder that dies blocks others for this
    /// long; a holder cut off from the nodes must stop before it.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The longest time that [`acquire`](Lock::acquire) waits.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.wait_limit = Some(limit);
        self
    }

    /// How many times a failed attempt is repeated: `retries(0)` is one attempt, N retries are N + 1 attempts.
    pub fn retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }

    /// How long the guard is renewed, at most; its validity then runs out.
    pub fn renew_at_most(mut self, limit: Duration) -> Self {
        self.renew_limit = Some(limit);
        self
    }

    /// Waits until the lock is held: without limit, unless a wait limit or a number of retries is set. Waiters of one
    /// process are served in FIFO order.
    ///
    /// Cancel safe: a dropped future leaves nothing behind; what it may have been granted is released in the background.
    ///
    /// # Errors
    /// [`AcquireError::Busy`] or [`AcquireError::Unavailable`] when a limit was reached, naming what each node said last.
    pub async fn acquire(&self) -> Result<LockGuard, AcquireError> {
        let (name, ttl) = self.checked()?;
        let started = self.core.driver.env.now();
        let give_up_at = self.wait_limit.map(|limit| started.saturating_add(limit));
        let mut tries = Tries::new(self, name, ttl, give_up_at);

        let turn = self.core.queue.enter(tries.name());
        let turn = match give_up_at {
            None => turn.await,
            Some(at) => match tries.before(at, turn).await {
                Some(turn) => turn,
                None => return Err(tries.never_first(started)),
            },
        };
        let mut earlier: Option<RoundFailure> = None;
        loop {
            let mut failure = match tries.once(give_up_at).await? {
                Ok(guard) => return Ok(guard),
                Err(failure) => failure,
            };
            if failure.cut_short && failure.situation == Situation::Unreachable {
                // It says little about the nodes; the round before it says more.
                failure = earlier.take().unwrap_or(failure);
            }
            if !tries.pause(&turn, failure.situation, give_up_at).await {
                return Err(tries.error(started, failure));
            }
            earlier = Some(failure);
        }
    }

    /// Tries once, without waiting for anybody: `None` if somebody else has it, or votes were split.
    ///
    /// Cancel safe, as [`acquire`](Lock::acquire).
    ///
    /// # Errors
    /// [`AcquireError::Unavailable`] if too few nodes answered to say.
    pub async fn try_acquire(&self) -> Result<Option<LockGuard>, AcquireError> {
        let (name, ttl) = self.checked()?;
        let started = self.core.driver.env.now();
        let mut tries = Tries::new(self, name, ttl, None);
        match tries.once(None).await? {
            Ok(guard) => Ok(Some(guard)),
            Err(failure) if failure.situation == Situation::Unreachable => Err(tries.error(started, failure)),
            Err(_) => Ok(None),
        }
    }

    /// Acquires, runs `work`, and releases. If the lock is lost first, the work's future is dropped, and with it whatever
    /// it was doing at that await point.
    ///
    /// The work gets a view of the hold, to pass it on or to check it before a side effect. A panic in the work releases.
    ///
    /// # Errors
    /// [`RunError::Acquire`] if the lock was not acquired, [`RunError::Lost`] if it was lost before the work had ended.
    pub async fn run<T, F, W>(&self, work: F) -> Result<T, RunError>
    where
        F: FnOnce(Held) -> W,
        W: Future<Output = T>,
    {
        let guard = self.acquire().await?;
        let work = work(guard.held());
        tokio::pin!(work);
        tokio::select! {
            // The loss is looked at first: work that ends after it does not count.
            biased;
            Some(reason) = guard.lost() => Err(RunError::Lost(reason)),
            value = &mut work => {
                if let crate::LockState::Lost(reason) = guard.state() {
                    return Err(RunError::Lost(reason));
                }
                // It was valid when the work had ended; how many nodes confirm the release changes nothing about that.
                if let Err(error) = guard.release().await {
                    tracing::debug!(%error, "release after run");
                }
                Ok(value)
            }
        }
    }

    fn checked(&self) -> Result<(LockName, Ttl), AcquireError> {
        let name = self.name.clone()?;
        let ttl = Ttl::new(self.ttl)?;
        let max = self.core.settings.max_ttl;
        if ttl > max {
            return Err(AcquireError::TtlAboveMax { ttl: self.ttl, max: max.get() });
        }
        Ok((name, ttl))
    }
}

/// The attempts of one acquisition.
struct Tries<'a> {
    lock: &'a Lock,
    attempt: Attempt,
    backoff: Backoff,
    made: u32,
}

impl<'a> Tries<'a> {
    fn new(lock: &'a Lock, name: LockName, ttl: Ttl, give_up_at: Option<Instant>) -> Self {
        let settings = &lock.core.settings;
        let node_timeout = settings.node_timeout(ttl);
        let attempt = Attempt { name, ttl, node_timeout, give_up_at, earlier_owner: None };
        Self { lock, attempt, backoff: Backoff::new(settings.acquire_interval), made: 0 }
    }

    fn name(&self) -> &LockName {
        &self.attempt.name
    }

    /// One round.
    async fn once(
        &mut self,
        give_up_at: Option<Instant>,
    ) -> Result<Result<LockGuard, RoundFailure>, AcquireError> {
        let core = &self.lock.core;
        if core.is_closed() {
            return Err(AcquireError::ShutDown);
        }
        self.made = self.made.saturating_add(1);
        self.attempt.give_up_at = give_up_at;
        let held = match core.driver.acquire(self.attempt.clone()).await? {
            Ok(held) => held,
            Err(failure) => {
                self.attempt.earlier_owner = Some(failure.owner);
                return Ok(Err(failure));
            }
        };
        let driver = Arc::clone(&core.driver);
        let lease = Lease::new(driver, held.owned, self.attempt.ttl, held.valid_until, self.lock.renew_limit);
        Ok(Ok(LockGuard::new(Arc::clone(core), lease)))
    }

    /// Pauses before the next attempt, or until the lock is released in this process; `false` if there is to be none.
    async fn pause(&mut self, turn: &Turn<'_>, situation: Situation, give_up_at: Option<Instant>) -> bool {
        if self.lock.max_retries.is_some_and(|retries| self.made > retries) {
            return false;
        }
        let env = &*self.lock.core.driver.env;
        let until = env.now().saturating_add(self.backoff.pause(situation, jitter(env)));
        match give_up_at.filter(|limit| *limit <= until) {
            None => {
                self.before(until, turn.released()).await;
                true
            }
            // Too late for another attempt, unless the lock is released here before the limit.
            Some(limit) => self.before(limit, turn.released()).await.is_some(),
        }
    }

    /// What `future` returns, if it does so before `at`.
    async fn before<T>(&self, at: Instant, future: impl Future<Output = T>) -> Option<T> {
        let limit = self.lock.core.driver.env.sleep_until(at);
        tokio::select! {
            biased;
            value = future => Some(value),
            () = limit => None,
        }
    }

    /// Others of this process were first all the time; no node was asked.
    fn never_first(&self, started: Instant) -> AcquireError {
        let waited = self.lock.core.driver.env.now().saturating_since(started);
        AcquireError::Busy { name: self.name().clone(), waited, attempts: self.made, nodes: Vec::new() }
    }

    fn error(&self, started: Instant, failure: RoundFailure) -> AcquireError {
        let waited = self.lock.core.driver.env.now().saturating_since(started);
        let (name, attempts, nodes) = (self.name().clone(), self.made, failure.nodes);
        match failure.situation {
            Situation::Unreachable => AcquireError::Unavailable { name, waited, attempts, nodes },
            Situation::Held { .. } | Situation::Split => AcquireError::Busy { name, waited, attempts, nodes },
        }
    }
}
