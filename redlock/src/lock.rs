//! One lock by name: how it is acquired.

mod both;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::{Attempt, RoundFailure, Watching};
use crate::env::{Env, jitter};
use crate::error::{AcquireError, RunError};
use crate::guard::{Held, LockGuard};
use crate::id::{Instant, InvalidName, LockName, Ttl};
use crate::lease::Lease;
use crate::locks::Core;
use crate::queue::Turn;
use crate::quorum::{Backoff, Situation};
use crate::settings::DEFAULT_TTL;
use crate::telemetry::{Acquisition, Outcome};

/// A lock, not acquired yet: [`acquire`](Lock::acquire), [`try_acquire`](Lock::try_acquire) or [`run`](Lock::run) it.
///
/// Making one costs nothing and touches no node. Settings that are not overridden are those of its `Locks`.
#[derive(Debug, Clone)]
#[must_use = "a lock does nothing until it is acquired"]
pub struct Lock {
    /// Without it there was no default when it was made.
    core: Option<Arc<Core>>,
    /// A name that cannot be used is reported when the lock is acquired.
    name: Result<LockName, InvalidName>,
    ttl: Duration,
    max_retries: Option<u32>,
    wait_limit: Option<Duration>,
    renew_limit: Option<Duration>,
    /// The same name in another group of nodes, while groups change: it is held in both, or in neither.
    second: Option<Box<Self>>,
}

impl Lock {
    pub(crate) fn new(core: Arc<Core>, name: Result<LockName, InvalidName>) -> Self {
        let settings = &core.settings;
        let ttl = settings.ttl.get();
        let (max_retries, wait_limit) = (settings.max_retries, settings.wait_limit);
        let renew_limit = settings.renew_limit;
        Self { name, ttl, max_retries, wait_limit, renew_limit, core: Some(core), second: None }
    }

    /// A lock of no `Locks`: acquiring it fails.
    pub(crate) fn nowhere(name: Result<LockName, InvalidName>) -> Self {
        let ttl = DEFAULT_TTL.get();
        Self { core: None, name, ttl, max_retries: None, wait_limit: None, renew_limit: None, second: None }
    }

    /// How long nodes keep the lock without renewal: 10 ms to [`LocksBuilder::max_ttl`](crate::LocksBuilder::max_ttl); out
    /// of it, acquiring fails. The guard renews at about a third of it.
    ///
    /// A holder that dies keeps others out for this long; a holder cut off from the nodes must stop before it. A short TTL
    /// costs more renewals, and forgives shorter outages of the nodes.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.with(|lock| lock.ttl = ttl)
    }

    /// The longest time that [`acquire`](Lock::acquire) and [`run`](Lock::run) wait for the lock, the time in the local queue
    /// included; without limit by default. Less than a round trip to the nodes cannot succeed: to try once, without
    /// waiting for anybody, there is [`try_acquire`](Lock::try_acquire).
    pub fn wait_at_most(self, limit: Duration) -> Self {
        self.with(|lock| lock.wait_limit = Some(limit))
    }

    /// How many times [`acquire`](Lock::acquire) and [`run`](Lock::run) repeat an attempt that failed: `retries(0)` is one
    /// attempt, N retries are N + 1 attempts; without limit by default. An acquisition with counted attempts does not wait
    /// in this process's FIFO line, and asks about every
    /// [`LocksBuilder::acquire_interval`](crate::LocksBuilder::acquire_interval), whatever the nodes tell.
    pub fn retries(self, retries: u32) -> Self {
        self.with(|lock| lock.max_retries = Some(retries))
    }

    /// How long the guard is renewed after it was acquired, at most; its validity then runs out, within a TTL, and it is
    /// lost for [`LostReason::RenewLimit`](crate::LostReason::RenewLimit). Without limit by default: a bound for work that
    /// hangs.
    pub fn renew_at_most(self, limit: Duration) -> Self {
        self.with(|lock| lock.renew_limit = Some(limit))
    }

    /// Waits until the lock is held: without limit, unless a wait limit or a number of retries is set. Waiters of one
    /// `Locks` without counted attempts are served in FIFO order; a lock is not reentrant.
    ///
    /// Without a limit it waits also while no quorum of nodes can be reached.
    ///
    /// Cancel safe: a dropped future leaves nothing behind; what it may have been granted is released in the background.
    ///
    /// # Errors
    /// [`AcquireError::Busy`] or [`AcquireError::Unavailable`] when a limit was reached, naming what each node said last.
    /// At once: [`AcquireError::InvalidName`], [`AcquireError::InvalidTtl`] and [`AcquireError::TtlAboveMax`] for a wrong
    /// request, [`AcquireError::ShutDown`] after [`Locks::shutdown`](crate::Locks::shutdown), [`AcquireError::NoDefault`] for a
    /// lock of a [default](crate::lock) that was not set, and [`AcquireError::Random`].
    pub async fn acquire(&self) -> Result<LockGuard, AcquireError> {
        let started = self.core()?.driver.env.now();
        let give_up_at = self.wait_limit.map(|limit| started.saturating_add(limit));
        match &self.second {
            None => self.acquire_here(started, give_up_at).await,
            Some(second) => Box::pin(self.acquire_both(second, started, give_up_at)).await,
        }
    }

    /// Waits until it is held on the nodes of this `Locks`.
    async fn acquire_here(
        &self,
        started: Instant,
        give_up_at: Option<Instant>,
    ) -> Result<LockGuard, AcquireError> {
        let (core, name, ttl) = self.checked()?;
        let mut tries = Tries::new(self, core, name.clone(), ttl, started, give_up_at);

        let turn = match (self.max_retries, give_up_at) {
            // Who has counted attempts does not wait in line for others who have not.
            (Some(_), _) => None,
            (None, None) => Some(core.queue.enter(&name).await),
            (None, Some(at)) => match before(&*core.driver.env, at, core.queue.enter(&name)).await {
                Some(turn) => Some(turn),
                None => return Err(tries.never_first()),
            },
        };
        let mut earlier: Option<RoundFailure> = None;
        loop {
            let mut failure = match tries.once().await? {
                Ok(guard) => return Ok(guard),
                Err(failure) => failure,
            };
            if failure.cut_short && failure.situation == Situation::Unreachable {
                // It says little about the nodes; the round before it says more.
                failure = earlier.take().unwrap_or(failure);
            }
            if !tries.pause(turn.as_ref(), failure.situation).await {
                return Err(tries.error(failure));
            }
            earlier = Some(failure);
        }
    }

    /// Tries once, without waiting for anybody: `None` if somebody else has it, or several asked at the same moment and no
    /// one got a majority. Takes one round trip, [`LocksBuilder::node_timeout`](crate::LocksBuilder::node_timeout) at most;
    /// wait limit and retries do not matter.
    ///
    /// Cancel safe, as [`acquire`](Lock::acquire).
    ///
    /// # Errors
    /// [`AcquireError::Unavailable`] if too few nodes answered to say; otherwise as [`acquire`](Lock::acquire), but never
    /// [`AcquireError::Busy`].
    pub async fn try_acquire(&self) -> Result<Option<LockGuard>, AcquireError> {
        match &self.second {
            None => self.try_here().await,
            Some(second) => Box::pin(self.try_both(second)).await,
        }
    }

    async fn try_here(&self) -> Result<Option<LockGuard>, AcquireError> {
        let (core, name, ttl) = self.checked()?;
        let started = core.driver.env.now();
        let mut tries = Tries::new(self, core, name, ttl, started, None);
        match tries.once().await? {
            Ok(guard) => Ok(Some(guard)),
            Err(failure) if failure.situation == Situation::Unreachable => Err(tries.error(failure)),
            Err(_) => {
                tries.watch.end(Outcome::Busy);
                Ok(None)
            }
        }
    }

    /// Acquires, runs `work`, and releases. If the lock is lost first, the work's future is dropped, and with it whatever
    /// it was doing at that await point.
    ///
    /// The work gets a view of the hold, to pass it on or to check it before a side effect. What it has spawned goes on when
    /// the lock is lost: watch [`Held::lost`] there. A panic in the work releases.
    ///
    /// Returns when a majority has confirmed the release; that this failed is no error here.
    ///
    /// Cancel safe: dropped, it drops the work first, and then releases in the background.
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
                let _ = guard.release().await;
                Ok(value)
            }
        }
    }

    /// Acquires several locks of one [`Locks`](crate::Locks), or of one [`LockGroups`](crate::LockGroups), all or nothing; each name
    /// once, whatever order they are given in.
    ///
    /// Everybody takes them in the order of their names, so that two callers never wait for each other in a circle. What is
    /// held already is renewed while the next one is waited for. The limits of each lock hold for its own acquisition.
    ///
    /// Cancel safe, as [`acquire`](Lock::acquire): of a dropped future nothing stays held.
    ///
    /// # Errors
    /// The first error of [`acquire`](Lock::acquire); all that was acquired before is released in the background.
    pub async fn acquire_all(locks: impl IntoIterator<Item = Self>) -> Result<Vec<LockGuard>, AcquireError> {
        let mut named = Vec::new();
        for lock in locks {
            named.push((lock.checked()?.1, lock));
        }
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        named.dedup_by(|(later, _), (first, _)| later == first);
        let mut guards = Vec::with_capacity(named.len());
        for (_, lock) in &named {
            guards.push(lock.acquire().await?);
        }
        Ok(guards)
    }

    fn with(mut self, set: impl Fn(&mut Self)) -> Self {
        set(&mut self);
        if let Some(second) = &mut self.second {
            set(second);
        }
        self
    }

    fn core(&self) -> Result<&Arc<Core>, AcquireError> {
        self.core.as_ref().ok_or(AcquireError::NoDefault)
    }

    fn checked(&self) -> Result<(&Arc<Core>, LockName, Ttl), AcquireError> {
        let core = self.core()?;
        let name = self.name.clone()?;
        let ttl = Ttl::new(self.ttl)?;
        let max = core.settings.max_ttl;
        if ttl > max {
            return Err(AcquireError::TtlAboveMax { ttl: self.ttl, max: max.get() });
        }
        Ok((core, name, ttl))
    }
}

/// The attempts of one acquisition.
struct Tries<'a> {
    lock: &'a Lock,
    core: &'a Arc<Core>,
    attempt: Attempt,
    backoff: Backoff,
    watching: Watching,
    started: Instant,
    made: u32,
    watch: Acquisition<'a>,
}

impl<'a> Tries<'a> {
    fn new(
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
        let attempt = Attempt { name, ttl, node_timeout, fencing, give_up_at, earlier_owner: None };
        let backoff = Backoff::new(settings.acquire_interval);
        let watching = Watching::new(driver, &attempt.name);
        Self { lock, core, attempt, backoff, watching, started, made: 0, watch }
    }

    fn name(&self) -> &LockName {
        &self.attempt.name
    }

    /// One round.
    async fn once(&mut self) -> Result<Result<LockGuard, RoundFailure>, AcquireError> {
        let core = self.core;
        if core.is_closed() {
            self.watch.end(Outcome::Failed);
            return Err(AcquireError::ShutDown);
        }
        self.made = self.made.saturating_add(1);
        self.watch.round();
        let held = match core.driver.acquire(self.attempt.clone()).await {
            Ok(Ok(held)) => held,
            Ok(Err(failure)) => {
                self.attempt.earlier_owner = Some(failure.owner);
                return Ok(Err(failure));
            }
            Err(error) => {
                self.watch.end(Outcome::Failed);
                return Err(error.into());
            }
        };
        self.watch.acquired(held.token);
        let driver = Arc::clone(&core.driver);
        let Attempt { ttl, fencing, .. } = self.attempt;
        let lease = Lease::new(driver, held, ttl, fencing, self.lock.renew_limit);
        Ok(Ok(LockGuard::new(Arc::clone(core), lease)))
    }

    /// Pauses until the next attempt is worth it: the nodes tell that the lock may be free, it is released in this process,
    /// or it is time to ask without being told. `false` if there is to be none.
    async fn pause(&mut self, turn: Option<&Turn<'_>>, situation: Situation) -> bool {
        if self.lock.max_retries.is_some_and(|retries| self.made > retries) {
            return false;
        }
        let core = self.core;
        let env = &*core.driver.env;
        let poll_at = env.now().saturating_add(self.backoff.pause(situation, jitter(env)));
        // Counted attempts are to last as long as the interval says; and where no quorum answers, none tells either.
        let told = self.lock.max_retries.is_none() && situation != Situation::Unreachable;
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
        let limit = self.attempt.give_up_at;
        let next = match limit.filter(|limit| told || *limit <= poll_at) {
            None => Some(next.await),
            // Too late for another attempt, unless the lock becomes free before the limit.
            Some(limit) => before(env, limit, next).await,
        };
        if let Some(Next::Told) = next {
            let now = env.now();
            let spread = now.saturating_add(self.backoff.pause_when_woken(now, jitter(env)));
            // Here, too, what comes too late for another attempt is none.
            let late = limit.filter(|limit| *limit <= spread);
            return before(env, late.unwrap_or(spread), released(turn)).await.is_some() || late.is_none();
        }
        next.is_some()
    }

    /// Others of this process were first all the time; no node was asked.
    fn never_first(&mut self) -> AcquireError {
        self.watch.end(Outcome::Busy);
        let waited = self.waited();
        AcquireError::Busy { name: self.name().clone(), waited, attempts: self.made, nodes: Vec::new() }
    }

    fn error(&mut self, failure: RoundFailure) -> AcquireError {
        let waited = self.waited();
        let (name, attempts, nodes) = (self.name().clone(), self.made, failure.nodes);
        match failure.situation {
            Situation::Unreachable => {
                self.watch.end(Outcome::Unavailable);
                AcquireError::Unavailable { name, waited, attempts, nodes }
            }
            Situation::Held { .. } | Situation::Split => {
                self.watch.end(Outcome::Busy);
                AcquireError::Busy { name, waited, attempts, nodes }
            }
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

/// Completes when the lock was released in this process.
async fn released(turn: Option<&Turn<'_>>) {
    match turn {
        Some(turn) => turn.released().await,
        None => std::future::pending().await,
    }
}

/// What `future` returns, if it does so before `at`.
async fn before<T>(env: &dyn Env, at: Instant, future: impl Future<Output = T>) -> Option<T> {
    let limit = env.sleep_until(at);
    tokio::select! {
        biased;
        value = future => Some(value),
        () = limit => None,
    }
}
