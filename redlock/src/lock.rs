//! One lock by name: how it is acquired.

mod both;
mod tries;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::RoundFailure;
use crate::error::{AcquireError, RunError};
use crate::guard::{Held, LockGuard};
use crate::id::{Instant, InvalidName, LockName, Ttl};
use crate::locks::Core;
use crate::quorum::Situation;
use crate::settings::{DEFAULT_TTL, MOST_HANDOFF};
use crate::telemetry::Outcome;
use tries::{Place, Tries, before};

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
    /// How many times it may be handed over within this process; `None`: as its `Locks` says.
    handoff: Option<u32>,
    /// How much longer than its validity nodes keep a lock that was lost.
    takeover_delay: Duration,
    /// What its holder says besides.
    description: Option<Arc<str>>,
    /// The same name in another group of nodes, while groups change: it is held in both, or in neither.
    second: Option<Box<Self>>,
}

impl Lock {
    pub(crate) fn new(core: Arc<Core>, name: Result<LockName, InvalidName>) -> Self {
        let settings = &core.settings;
        let ttl = settings.ttl.get();
        let (max_retries, wait_limit) = (settings.max_retries, settings.wait_limit);
        let renew_limit = settings.renew_limit;
        Self {
            name,
            ttl,
            max_retries,
            wait_limit,
            renew_limit,
            handoff: None,
            takeover_delay: Duration::ZERO,
            description: None,
            core: Some(core),
            second: None,
        }
    }

    /// A lock of no `Locks`: acquiring it fails.
    pub(crate) fn nowhere(name: Result<LockName, InvalidName>) -> Self {
        let ttl = DEFAULT_TTL.get();
        Self {
            core: None,
            name,
            ttl,
            max_retries: None,
            wait_limit: None,
            renew_limit: None,
            handoff: None,
            takeover_delay: Duration::ZERO,
            description: None,
            second: None,
        }
    }

    /// How long nodes keep the lock without renewal: 10 ms to [`LocksBuilder::max_ttl`](crate::LocksBuilder::max_ttl); out
    /// of it, acquiring fails. The guard renews at about a third of it.
    ///
    /// A holder that dies keeps others out for this long; a holder cut off from the nodes must stop before it. A short TTL
    /// costs more renewals, and forgives shorter outages of the nodes. Where the lock was handed over by a holder of this process
    /// ([`LocksBuilder::handoff`](crate::LocksBuilder::handoff)) nodes may still keep it for the longer TTL of that one.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.with(|lock| lock.ttl = ttl)
    }

    /// The longest time that [`acquire`](Lock::acquire) and [`run`](Lock::run) wait for the lock, the time in the local queue
    /// included; without limit by default. Less than a round trip to the nodes cannot succeed: to try once, without
    /// waiting for anybody, there is [`try_acquire`](Lock::try_acquire). Behind the limit there is one more look at the nodes, so that
    /// the error can say who holds it: a round trip, [`LocksBuilder::node_timeout`](crate::LocksBuilder::node_timeout) at most.
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

    /// How many times it is handed to the next waiter of this process before the nodes are asked again, instead of
    /// [`LocksBuilder::handoff`](crate::LocksBuilder::handoff), and 256 at the most; with 0 it is always taken at the nodes, and always
    /// released there.
    pub fn handoff(self, most: u32) -> Self {
        self.with(|lock| lock.handoff = Some(most.min(MOST_HANDOFF)))
    }

    /// How much longer others are kept out when this holder's validity has ended without a release: it has died, was cut off, or
    /// has hung. None by default. Some room for work that a holder has begun and does not end in time, where the resource cannot
    /// refuse it by its [fencing token](Held::fencing_token); that would be safer.
    ///
    /// Nodes are asked to keep the lock for the TTL and this delay, which may not be more than
    /// [`LocksBuilder::max_ttl`](crate::LocksBuilder::max_ttl) together; the validity counts from the TTL alone. A release lets others in at
    /// once, and so does one that comes late: a holder that drops its guard says that it has ended.
    pub fn takeover_delay(self, delay: Duration) -> Self {
        self.with(|lock| lock.takeover_delay = delay)
    }

    /// What people are shown of the holder besides its machine and process, for as long as it holds: what it does, or for whom. It lies
    /// on the nodes in clear. At most about 1 KiB of it is kept ([`Description::MAX_BYTES`](crate::node::Description::MAX_BYTES),
    /// machine and process included); none on Redis and memcached where [fencing](crate::LocksBuilder::fencing) is off.
    ///
    /// Of a lock that was handed over by a holder of this process, nodes go on showing that one's text until the next renewal.
    /// [`Held::describe`] changes it while it is held.
    pub fn description(self, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        self.with(|lock| lock.description = Some(Arc::clone(&text)))
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
                None => return Err(tries.never_first().await),
            },
        };
        let mut earlier: Option<RoundFailure> = None;
        loop {
            if let Some(turn) = &turn {
                match tries.in_line(turn).await? {
                    Place::Handed(guard) => return Ok(guard),
                    Place::Free => {}
                    Place::TooLate => {
                        return Err(match earlier.take() {
                            Some(failure) => tries.error(failure).await,
                            None => tries.never_first().await,
                        });
                    }
                }
            }
            let mut failure = match tries.once().await? {
                Ok(guard) => return Ok(guard),
                Err(failure) => failure,
            };
            if failure.cut_short && failure.situation == Situation::Unreachable {
                // It says little about the nodes; the round before it says more.
                failure = earlier.take().unwrap_or(failure);
            }
            if !tries.pause(turn.as_ref(), failure.situation).await {
                return Err(tries.error(failure).await);
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
            Err(failure) if failure.situation == Situation::Unreachable => Err(tries.error(failure).await),
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
        let on_nodes = self.ttl.saturating_add(self.takeover_delay);
        if on_nodes > max.get() {
            return Err(AcquireError::TtlAboveMax { ttl: on_nodes, max: max.get() });
        }
        Ok((core, name, ttl))
    }
}
