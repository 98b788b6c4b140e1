//! One holder's tenure of a lease: what its guard and all its views say.
//!
//! It ends when it is handed over, released or lost, and says so for ever, whatever becomes of the lease under it.

use std::sync::Arc;
use std::time::Duration;

use super::{Lease, LockState};
use crate::error::{ExtendError, LostReason};
use crate::id::{FencingToken, Instant, Ttl};

/// Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(super) lease: Arc<Lease>,
    /// How many holds of this lease there were before.
    pub(super) number: usize,
    pub(super) token: Option<FencingToken>,
    pub(super) acquired_at: Instant,
    pub(super) ttl: Ttl,
}

impl Hold {
    pub(crate) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    pub(crate) fn ttl(&self) -> Ttl {
        self.ttl
    }

    pub(crate) fn token(&self) -> Option<FencingToken> {
        self.token
    }

    pub(crate) fn acquired_at(&self) -> Instant {
        self.acquired_at
    }

    /// Stays where it was when the hold has ended.
    pub(crate) fn valid_until(&self) -> Instant {
        let status = self.lease.status();
        let former = status.former.get(self.number).copied();
        former.filter(|_| self.lease.driver.protections.handoff_hold()).unwrap_or(status.valid_until)
    }

    /// Exact: the clock is read now.
    pub(crate) fn state(&self) -> LockState {
        self.lease.state_of_hold(self.number)
    }

    /// Runs one round of extend.
    pub(crate) async fn extend(&self) -> Result<Instant, ExtendError> {
        self.state().held()?;
        let result = self.lease.extend().await;
        // It may have been handed over meanwhile; what was prolonged is another's then.
        self.state().held()?;
        result
    }

    /// Changes what it says of itself, by a round of extend that prolongs nothing.
    pub(crate) async fn describe(&self, text: Arc<str>) -> Result<(), ExtendError> {
        self.state().held()?;
        self.lease.introduce(self.number, text);
        let result = self.lease.tell().await;
        self.state().held()?;
        result.map(drop)
    }

    /// Gives it the token `token`, unless its own is greater, and returns once a quorum stores it. The lease is handed over no
    /// more.
    pub(crate) async fn raise_token(&mut self, token: FencingToken) -> Result<(), ExtendError> {
        self.token = self.token.max(Some(token));
        self.lease.raise_token(token).await
    }

    /// Completes when it is no longer held; level-triggered. `None`: it was released, or handed over.
    pub(crate) async fn lost(&self) -> Option<LostReason> {
        self.lease.until_lost(|_| self.state()).await
    }

    /// Completes when less than `margin` of the validity is left, or none.
    pub(crate) async fn at_risk(&self, margin: Duration) {
        self.lease
            .until(|lease| {
                let end = self.valid_until().saturating_sub(margin);
                let is_over = matches!(self.state(), LockState::Lost(_) | LockState::Released);
                if is_over || lease.now() >= end { Ok(()) } else { Err(end) }
            })
            .await
    }

    /// Completes with the next state that differs from `state`.
    pub(crate) async fn changed_from(&self, state: LockState) -> LockState {
        // What has ended stays as it is: there is no point in time to look again.
        if matches!(state, LockState::Lost(_) | LockState::Released) && self.state() == state {
            return std::future::pending().await;
        }
        self.lease
            .until(|lease| match self.state() {
                same if same == state => Err(lease.valid_until()),
                other => Ok(other),
            })
            .await
    }
}
