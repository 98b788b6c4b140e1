//! One name that is locked in two groups of nodes while groups change: in both, or in neither.

use futures::future::{Either, select};

use super::Lock;
use crate::error::{AcquireError, ExtendError};
use crate::guard::LockGuard;
use crate::id::Instant;
use crate::lease::LockState;

impl Lock {
    /// The same name in this group and in that: whoever takes both begins with this one.
    pub(crate) fn and_in(mut self, second: Self) -> Self {
        self.second = Some(Box::new(second));
        self
    }

    /// Waits until both are held. What was acquired first is renewed meanwhile; if it is lost, all begins anew.
    ///
    /// Cancel safe: guards that were made are dropped with the future.
    pub(super) async fn acquire_both(
        &self,
        second: &Self,
        started: Instant,
        give_up_at: Option<Instant>,
    ) -> Result<LockGuard, AcquireError> {
        // A wrong request is reported before it keeps anybody out.
        let (core, name, _) = self.checked()?;
        second.checked()?;
        let is_limited = give_up_at.is_some() || self.max_retries.is_some();
        let mut attempts = 0_u32;
        loop {
            attempts = attempts.saturating_add(1);
            let here = self.acquire_here(started, give_up_at).await?;
            let there = {
                let lost = std::pin::pin!(here.lost());
                match select(std::pin::pin!(second.acquire_here(started, give_up_at)), lost).await {
                    Either::Left((there, _)) => there?,
                    Either::Right(_) => continue,
                }
            };
            match join(here, there).await {
                Ok(guard) => return Ok(guard),
                Err(ExtendError::Failed { nodes, .. }) if is_limited => {
                    let waited = core.driver.env.now().saturating_since(started);
                    return Err(AcquireError::Unavailable { name, waited, attempts, nodes });
                }
                // Lost meanwhile, or to be tried until it succeeds.
                Err(_) => {}
            }
        }
    }

    /// Tries both once; `None` if either is not to be had now.
    pub(super) async fn try_both(&self, second: &Self) -> Result<Option<LockGuard>, AcquireError> {
        let (core, name, _) = self.checked()?;
        second.checked()?;
        let started = core.driver.env.now();
        let Some(here) = self.try_here().await? else { return Ok(None) };
        let Some(there) = second.try_here().await? else { return Ok(None) };
        match join(here, there).await {
            Ok(guard) => Ok(Some(guard)),
            Err(ExtendError::Failed { nodes, .. }) => {
                let waited = core.driver.env.now().saturating_since(started);
                Err(AcquireError::Unavailable { name, waited, attempts: 1, nodes })
            }
            Err(_) => Ok(None),
        }
    }
}

/// Makes one hold of two: with one fencing token, which a quorum of either group stores, and both still valid.
///
/// The token is above those of all holders before, in whichever group they held: each was counted in at least one of the two. And
/// it is below those of all holders to come, wherever they hold: each will count up from it. Extending carries it to the
/// nodes, as it carries every token.
async fn join(mut here: LockGuard, mut there: LockGuard) -> Result<LockGuard, ExtendError> {
    if let Some(top) = here.fencing_token().max(there.fencing_token()) {
        here.raise_token(top).await?;
        there.raise_token(top).await?;
    }
    let guard = here.and(there);
    match guard.state() {
        LockState::Lost(reason) => Err(ExtendError::Lost(reason)),
        _ => Ok(guard),
    }
}
