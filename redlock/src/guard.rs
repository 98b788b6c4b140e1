//! What a holder has: the guard that releases, and a view of the hold that can be shared.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::ReleaseResult;
use crate::error::{ExtendError, LostReason, ReleaseError};
use crate::id::{FencingToken, Instant, LockName, Ttl};
use crate::lease::{Lease, LockState};
use crate::locks::Core;

/// A view of a lock that was acquired. Cloning it is cheap; it neither renews nor releases: the [`LockGuard`] does.
#[derive(Clone)]
pub struct Held {
    lease: Arc<Lease>,
}

impl Held {
    /// The lock's name.
    pub fn name(&self) -> &LockName {
        &self.lease.owned().name
    }

    /// How long nodes keep the lock without renewal.
    pub fn ttl(&self) -> Ttl {
        self.lease.ttl()
    }

    /// A number that is strictly greater for every later holder of this name: hand it to the protected resource, which refuses
    /// smaller ones. `None` where fencing is switched off.
    pub fn fencing_token(&self) -> Option<FencingToken> {
        self.lease.token()
    }

    /// When it was acquired, on the suspend-aware clock of this machine.
    pub fn acquired_at(&self) -> Instant {
        self.lease.acquired_at()
    }

    /// Until when the holder may act, as things stand: renewals move it on. On the suspend-aware clock of this machine;
    /// meaningless on another. After a loss or a release it stays where it was: [`Held::is_valid`] tells.
    pub fn valid_until(&self) -> Instant {
        self.lease.valid_until()
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
        self.lease.state()
    }

    /// Completes with the next state that differs from `state`; never, once the hold has ended and `state` says so.
    ///
    /// Cancel safe and level-triggered: where the state differs already, it completes at once.
    pub async fn state_changed_from(&self, state: LockState) -> LockState {
        self.lease.changed_from(state).await
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
        self.lease.lost().await
    }

    /// Completes when less than `margin` of the validity is left (renewals are failing), or none: the time to stop.
    ///
    /// Cancel safe and level-triggered. A renewal that gets through later moves the point on again.
    pub async fn at_risk(&self, margin: Duration) {
        self.lease.at_risk(margin).await;
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
        self.lease.extend().await
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
}

impl LockGuard {
    pub(crate) fn new(core: Arc<Core>, lease: Arc<Lease>) -> Self {
        let renewal = core.renewal.add(&core.driver, &lease);
        Self { held: Held { lease }, core, renewal, armed: true }
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
        self.armed = false;
        let lost = self.stop();
        let owned = Arc::clone(self.lease.owned());
        let result = self.core.driver.release(&owned).await;
        let name = owned.name.clone();
        match (lost, result) {
            (Some(reason), _) => Err(ReleaseError::NotHeld { name, reason: Some(reason) }),
            (None, ReleaseResult::Released) => Ok(()),
            (None, ReleaseResult::NotHeld) => Err(ReleaseError::NotHeld { name, reason: None }),
            (None, ReleaseResult::Unconfirmed(nodes)) => Err(ReleaseError::Unconfirmed { name, nodes }),
        }
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
