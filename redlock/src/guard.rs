//! What a holder has: the guard that releases, and a view of the hold that can be shared.

use std::fmt;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, select};

use crate::driver::ReleaseResult;
use crate::error::{ExtendError, LostReason, ReleaseError};
use crate::id::{FencingToken, Instant, LockName, Ttl};
use crate::lease::{Lease, LockState};
use crate::locks::Core;
use crate::telemetry::events;

/// A view of a lock that was acquired. Cloning it is cheap; it neither renews nor releases: the [`LockGuard`] does.
#[derive(Clone)]
pub struct Held {
    lease: Arc<Lease>,
    /// The same name in another group of nodes, while [groups change](crate::LockGroups::changing): held is what both hold.
    second: Option<Arc<Lease>>,
}

impl Held {
    /// The smallest of what the leases say.
    fn least<T: Ord>(&self, of: impl Fn(&Lease) -> T) -> T {
        let here = of(&self.lease);
        match &self.second {
            None => here,
            Some(second) => here.min(of(second)),
        }
    }

    /// The lock's name.
    pub fn name(&self) -> &LockName {
        &self.lease.owned().name
    }

    /// How long nodes keep the lock without renewal.
    pub fn ttl(&self) -> Ttl {
        self.least(Lease::ttl)
    }

    /// A number that is strictly greater for every later holder of this name: hand it to the protected resource, which refuses
    /// smaller ones. `None` where fencing is switched off.
    pub fn fencing_token(&self) -> Option<FencingToken> {
        self.lease.token()
    }

    /// When it was acquired, on the suspend-aware clock of this machine.
    pub fn acquired_at(&self) -> Instant {
        self.second.as_ref().unwrap_or(&self.lease).acquired_at()
    }

    /// Until when the holder may act, as things stand: renewals move it on. On the suspend-aware clock of this machine;
    /// meaningless on another. After a loss or a release it stays where it was: [`Held::is_valid`] tells.
    pub fn valid_until(&self) -> Instant {
        self.least(Lease::valid_until)
    }

    /// How much of the validity is left; zero if it is lost or released.
    pub fn remaining(&self) -> Duration {
        if self.is_valid() { self.valid_until().saturating_since(self.lease.now()) } else { Duration::ZERO }
    }

    /// Whether the holder may act now. Exact: reads the clock, needs no task to have run.
    ///
    /// True is already history when it is returned: for side effects that must never overlap, hand the protected
    /// resource something that it can check itself.
    pub fn is_valid(&self) -> bool {
        matches!(self.state(), LockState::Held | LockState::Suspect { .. })
    }

    /// Where it stands: held, suspect, lost or released.
    pub fn state(&self) -> LockState {
        let here = self.lease.state();
        self.second.as_ref().map_or(here, |second| here.and(second.state()))
    }

    /// Completes with the next state that differs from `state`; never, once the hold has ended and `state` says so.
    ///
    /// Cancel safe and level-triggered: where the state differs already, it completes at once.
    pub async fn state_changed_from(&self, state: LockState) -> LockState {
        let Some(second) = &self.second else { return self.lease.changed_from(state).await };
        loop {
            let (here, there) = (self.lease.state(), second.state());
            let now = here.and(there);
            if now != state {
                return now;
            }
            select(pin!(self.lease.changed_from(here)), pin!(second.changed_from(there))).await;
        }
    }

    /// Completes when the lock is held no longer, with the reason; `None` if its guard released it.
    ///
    /// It fires no later than [`Held::valid_until`], and as soon as a renewal or [`Held::extend`] hears from a majority of
    /// nodes that the lock is not its own any more. Its timer runs on a thread of its own and counts the time that the
    /// machine sleeps; the task that awaits it must of course get to run.
    ///
    /// While the whole process gets no CPU (`SIGSTOP`, a paused virtual machine) nothing in it can fire. When it goes on,
    /// this completes as soon as it is polled and [`Held::is_valid`] is false at the first look; a step that was taken just
    /// after an earlier look must be refused by the resource, which the [fencing token](Held::fencing_token) enables.
    ///
    /// Cancel safe and level-triggered: asked after the loss, it completes at once.
    pub async fn lost(&self) -> Option<LostReason> {
        let Some(second) = &self.second else { return self.lease.lost().await };
        select(pin!(self.lease.lost()), pin!(second.lost())).await.factor_first().0
    }

    /// Completes when less than `margin` of the validity is left (renewals are failing), or none: the time to stop.
    ///
    /// Cancel safe and level-triggered. A renewal that gets through later moves the point on again.
    pub async fn at_risk(&self, margin: Duration) {
        match &self.second {
            None => self.lease.at_risk(margin).await,
            Some(second) => {
                select(pin!(self.lease.at_risk(margin)), pin!(second.at_risk(margin))).await;
            }
        }
    }

    /// Prolongs the lock now, by one round to the nodes, and returns the new end of its validity. Renewal does this by
    /// itself; call it before a step that must not run short of time.
    ///
    /// Cancel safe: requests of a dropped future may still prolong the keys of this holder, never anybody else's.
    ///
    /// # Errors
    /// [`ExtendError::Failed`] leaves everything as it was, [`Held::valid_until`] included. [`ExtendError::Lost`] and
    /// [`ExtendError::Released`] if there is nothing to extend any more; nothing is ever extended back to life.
    pub async fn extend(&self) -> Result<Instant, ExtendError> {
        let Some(second) = &self.second else { return self.lease.extend().await };
        let (here, there) = join(self.lease.extend(), second.extend()).await;
        Ok(here?.min(there?))
    }

    /// Makes the token `top`, unless it is greater, and returns once a quorum stores it.
    pub(crate) async fn raise_token(&self, top: FencingToken) -> Result<(), ExtendError> {
        self.lease.raise_token(top).await
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("name", self.name())
            .field("state", &self.state())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// A lock that is held, and renewed until this is dropped.
///
/// Dropping it releases the lock in the background: it neither blocks nor fails, needs no runtime, and works after the
/// runtime that acquired it has gone. [`LockGuard::release`] says truthfully how it went.
/// `let _ = lock.acquire().await?` drops, and so releases, at once; bind it to a name.
///
/// Forgotten ([`std::mem::forget`]) it is renewed until the process ends, or `renewLimit` where one is set.
#[must_use = "the lock is released as soon as its guard is dropped"]
pub struct LockGuard {
    held: Held,
    core: Arc<Core>,
    /// Its place in the renewal plan.
    renewal: u64,
    /// Taken by an explicit release, so that dropping does not release again.
    armed: bool,
    /// The guard in another group of nodes, while groups change.
    second: Option<Box<Self>>,
}

impl LockGuard {
    pub(crate) fn new(core: Arc<Core>, lease: Arc<Lease>) -> Self {
        let renewal = core.renewal.add(&core.driver, &lease);
        // Behind its place in the plan: whoever finds the clock wrong from now on finds it there.
        lease.lose_if_clock_moved();
        Self { held: Held { lease, second: None }, core, renewal, armed: true, second: None }
    }

    /// Makes one guard of two that hold the same name in two groups of nodes.
    pub(crate) fn and(mut self, second: Self) -> Self {
        self.held.second = Some(Arc::clone(&second.lease));
        self.second = Some(Box::new(second));
        self
    }

    /// A view of this hold that can be cloned and sent elsewhere.
    pub fn held(&self) -> Held {
        self.held.clone()
    }

    /// Releases on every node, and returns once a majority has confirmed. The other nodes are seen to in the background
    /// until they are certain to hold nothing.
    ///
    /// Takes one round trip, [`LocksBuilder::node_timeout`](crate::LocksBuilder::node_timeout) at most.
    ///
    /// Cancel safe: dropped, the release goes on in the background.
    ///
    /// It takes the guard, so that nothing can be released twice:
    /// ```compile_fail,E0382
    /// async fn release_twice(guard: redlock::LockGuard) -> Result<(), redlock::ReleaseError> {
    ///     guard.release().await?;
    ///     guard.release().await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ReleaseError::NotHeld`] if it was not held to the end; [`ReleaseError::Unconfirmed`] if too few nodes answered.
    pub async fn release(mut self) -> Result<(), ReleaseError> {
        let Some(mut second) = self.second.take() else { return self.release_here().await };
        let (here, there) = join(self.release_here(), second.release_here()).await;
        // That it was not held says more than that nobody has confirmed.
        if there.is_ok() || matches!(here, Err(ReleaseError::NotHeld { .. })) { here } else { there }
    }

    async fn release_here(&mut self) -> Result<(), ReleaseError> {
        self.armed = false;
        let lost = self.stop();
        let owned = Arc::clone(self.lease.owned());
        let result = self.core.driver.release(&owned).await;
        let name = owned.name.clone();
        let result = match (lost, result) {
            (Some(reason), _) => Err(ReleaseError::NotHeld { name, reason: Some(reason) }),
            (None, ReleaseResult::Released) => Ok(()),
            (None, ReleaseResult::NotHeld) => {
                events::lock_not_held(&name);
                Err(ReleaseError::NotHeld { name, reason: None })
            }
            (None, ReleaseResult::Unconfirmed(nodes)) => {
                events::release_unconfirmed(&name, &nodes);
                Err(ReleaseError::Unconfirmed { name, nodes })
            }
        };
        self.core.driver.meters.released(&result);
        result
    }

    /// Ends renewal and the hold; says how it was lost, if it was.
    fn stop(&self) -> Option<LostReason> {
        self.core.renewal.remove(self.renewal);
        self.lease.release()
    }
}

impl Deref for LockGuard {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if self.armed {
            self.stop();
            let (core, name) = (Arc::clone(&self.core), self.name().clone());
            self.core.driver.release_in_background(self.lease.owned(), move || core.queue.released(&name));
        } else {
            // Behind an explicit release, whether it came to its end or was dropped on the way.
            self.core.queue.released(self.name());
        }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.held.fmt(f)
    }
}
