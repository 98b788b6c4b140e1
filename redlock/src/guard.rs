//! What a holder has: the guard that releases, and a view of the hold that can be shared.

use std::fmt;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, select};

use crate::error::{ExtendError, LostReason, ReleaseError};
use crate::id::{FencingToken, Instant, LockName, Ttl};
use crate::lease::{Hold, LockState};
use crate::tenure::Tenure;

/// A view of a lock that was acquired. Cloning it is cheap; it neither renews nor releases: the [`LockGuard`] does.
#[derive(Clone)]
pub struct Held {
    hold: Hold,
    /// The same name in another group of nodes, while [groups change](crate::LockGroups::changing): held is what both hold.
    second: Option<Hold>,
}

impl Held {
    /// The smallest of what the holds say.
    fn least<T: Ord>(&self, of: impl Fn(&Hold) -> T) -> T {
        let here = of(&self.hold);
        match &self.second {
            None => here,
            Some(second) => here.min(of(second)),
        }
    }

    /// The lock's name.
    pub fn name(&self) -> &LockName {
        &self.hold.lease().owned().name
    }

    /// How long nodes keep the lock without renewal.
    pub fn ttl(&self) -> Ttl {
        self.least(Hold::ttl)
    }

    /// A number that is strictly greater for every later holder of this name: hand it to the protected resource, which refuses
    /// smaller ones. `None` where fencing is switched off.
    pub fn fencing_token(&self) -> Option<FencingToken> {
        self.hold.token()
    }

    /// When it was acquired, on the suspend-aware clock of this machine.
    pub fn acquired_at(&self) -> Instant {
        self.second.as_ref().unwrap_or(&self.hold).acquired_at()
    }

    /// Until when the holder may act, as things stand: renewals move it on. On the suspend-aware clock of this machine;
    /// meaningless on another. After a loss or a release it stays where it was: [`Held::is_valid`] tells.
    pub fn valid_until(&self) -> Instant {
        self.least(Hold::valid_until)
    }

    /// How much of the validity is left; zero if it is lost or released.
    pub fn remaining(&self) -> Duration {
        if self.is_valid() {
            self.valid_until().saturating_since(self.hold.lease().now())
        } else {
            Duration::ZERO
        }
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
        let here = self.hold.state();
        self.second.as_ref().map_or(here, |second| here.and(second.state()))
    }

    /// Completes with the next state that differs from `state`; never, once the hold has ended and `state` says so.
    ///
    /// Cancel safe and level-triggered: where the state differs already, it completes at once.
    pub async fn state_changed_from(&self, state: LockState) -> LockState {
        let Some(second) = &self.second else { return self.hold.changed_from(state).await };
        loop {
            let (here, there) = (self.hold.state(), second.state());
            let now = here.and(there);
            if now != state {
                return now;
            }
            select(pin!(self.hold.changed_from(here)), pin!(second.changed_from(there))).await;
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
        let Some(second) = &self.second else { return self.hold.lost().await };
        select(pin!(self.hold.lost()), pin!(second.lost())).await.factor_first().0
    }

    /// Completes when less than `margin` of the validity is left (renewals are failing), or none: the time to stop.
    ///
    /// Cancel safe and level-triggered. A renewal that gets through later moves the point on again.
    pub async fn at_risk(&self, margin: Duration) {
        match &self.second {
            None => self.hold.at_risk(margin).await,
            Some(second) => {
                select(pin!(self.hold.at_risk(margin)), pin!(second.at_risk(margin))).await;
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
        let Some(second) = &self.second else { return self.hold.extend().await };
        let (here, there) = join(self.hold.extend(), second.extend()).await;
        Ok(here?.min(there?))
    }

    /// Changes the text of [`Lock::description`](crate::Lock::description) while it is held, by one round to the nodes; empty, there is
    /// none. It wakes nobody who waits, and prolongs the lock only where less than half of its TTL is left.
    ///
    /// Cancel safe, as [`extend`](Held::extend): of a dropped future the new text may be shown by some nodes, and by all with the
    /// next renewal.
    ///
    /// # Errors
    /// As [`extend`](Held::extend). After [`ExtendError::Failed`] the next renewal tries it again.
    pub async fn describe(&self, text: impl Into<Arc<str>>) -> Result<(), ExtendError> {
        let text = text.into();
        let Some(second) = &self.second else { return self.hold.describe(text).await };
        let (here, there) = join(self.hold.describe(Arc::clone(&text)), second.describe(text)).await;
        here.and(there)
    }

    /// Under which token nodes know it.
    #[cfg(feature = "testing")]
    pub(crate) fn owner(&self) -> crate::id::OwnerToken {
        self.hold.lease().owned().owner
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
/// Where others of this process wait for the lock, it may be handed to the next of them instead
/// ([`LocksBuilder::handoff`](crate::LocksBuilder::handoff)). For this guard and its views that is a release like any other.
///
/// Forgotten ([`std::mem::forget`]) it is renewed until the process ends, or `renewLimit` where one is set.
#[must_use = "the lock is released as soon as its guard is dropped"]
pub struct LockGuard {
    held: Held,
    /// `None` once it was given up.
    tenure: Option<Box<Tenure>>,
    /// The guard in another group of nodes, while groups change.
    second: Option<Box<Self>>,
    /// Whether it was held to the end, as far as a release has said.
    was_held: bool,
}

impl LockGuard {
    pub(crate) fn new(tenure: Box<Tenure>, hold: Hold) -> Self {
        Self { held: Held { hold, second: None }, tenure: Some(tenure), second: None, was_held: true }
    }

    /// Makes one guard of two that hold the same name in two groups of nodes.
    pub(crate) fn and(mut self, second: Self) -> Self {
        self.held.second = Some(second.held.hold.clone());
        self.second = Some(Box::new(second));
        self
    }

    /// Makes the token `token`, unless it is greater, and returns once a quorum stores it. Not for a guard that has been shown
    /// to anybody: views that there are keep the token that they have.
    pub(crate) async fn raise_token(&mut self, token: FencingToken) -> Result<(), ExtendError> {
        self.held.hold.raise_token(token).await
    }

    /// A view of this hold that can be cloned and sent elsewhere.
    pub fn held(&self) -> Held {
        self.held.clone()
    }

    /// Releases on every node, and returns once a majority has confirmed. The other nodes are seen to in the background
    /// until they are certain to hold nothing.
    ///
    /// Where another waiter of this process is handed the lock instead, the hold has ended in order: it returns `Ok` at once, and
    /// the nodes hear of it when the last of them releases.
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
        self.try_release().await
    }

    /// As [`release`](LockGuard::release), but leaves the guard, so that after [`ReleaseError::Unconfirmed`] it can be called again:
    /// it asks again the nodes that may still hold something. The hold has ended with the first poll of the first call.
    ///
    /// Cancel safe: dropped, the release goes on in the background, and it can be called again.
    ///
    /// # Errors
    /// As [`release`](LockGuard::release). Called again after it has said that the lock was released, or was not held, it says the
    /// same.
    pub async fn try_release(&mut self) -> Result<(), ReleaseError> {
        let Some(mut second) = self.second.take() else { return self.release_here().await };
        let (here, there) = join(self.release_here(), second.release_here()).await;
        self.second = Some(second);
        // That it was not held says more than that nobody has confirmed.
        if there.is_ok() || matches!(here, Err(ReleaseError::NotHeld { .. })) { here } else { there }
    }

    async fn release_here(&mut self) -> Result<(), ReleaseError> {
        self.tenure = self.hand_over();
        let Some(tenure) = &mut self.tenure else {
            return if self.was_held { Ok(()) } else { Err(self.not_held()) };
        };
        let result = tenure.release().await;
        if !matches!(result, Err(ReleaseError::Unconfirmed { .. })) {
            self.was_held = result.is_ok();
            self.tenure = None;
        }
        result
    }

    fn not_held(&self) -> ReleaseError {
        let reason = if let LockState::Lost(reason) = self.held.hold.state() { Some(reason) } else { None };
        ReleaseError::NotHeld { name: self.name().clone(), reason }
    }

    /// Hands the lease over, if it may be; otherwise it is to be released.
    fn hand_over(&mut self) -> Option<Box<Tenure>> {
        self.tenure.take()?.hand_over(&self.held.hold).err()
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
        // What cannot be handed over is released in the background by being dropped.
        drop(self.hand_over());
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.held.fmt(f)
    }
}
