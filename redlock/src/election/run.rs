//! The usual course: campaign, work, resign, and again.

use std::ops::ControlFlow;
use std::time::Duration;

use futures::future::Either;

use super::term::{StopReason, Term};
use super::{Announcement, CampaignError, Election, Leadership};

/// So long at least, and twice as long at the most, a candidate stands back whose leadership has ended: others are to have their
/// turn, and what made it fail may pass.
const STAND_BACK: Duration = Duration::from_millis(50);

impl Election {
    /// Campaigns again and again, and calls `work` with every leadership.
    ///
    /// The work returns [`ControlFlow::Break`] to end it all, or [`ControlFlow::Continue`] to resign and to campaign again. It is told
    /// to stop by [`Term::stop_requested`], and should come to its end then:
    ///
    /// * **Step-down** ([`set_eligible(false)`](Election::set_eligible), [`retire`](Election::retire)): the leadership is renewed until
    ///   the work has returned, or [`grace`](Election::grace) has passed; then it is resigned.
    /// * **Renewals fail** and less than [`stop_margin`](Election::stop_margin) is left: the work has until a quarter of this margin is
    ///   left. Then its future is dropped, so that it has ended before its validity has.
    /// * **Lost at once** (the nodes say so): its future is dropped.
    ///
    /// A dropped future is cancelled at its `await`. What it has spawned goes on: tell it yourself. Work that blocks a thread cannot
    /// be dropped: see [`abort_on_overrun`](Election::abort_on_overrun). Before a side effect look at [`Term::remaining`], and hand
    /// [`Term::epoch`] to whatever can refuse an older one.
    ///
    /// Returns what the work broke with; `None` after [`retire`](Election::retire). While no quorum of nodes answers it goes on
    /// campaigning. A panic in the work resigns.
    ///
    /// ```
    /// # #[cfg(feature = "memory")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::ops::ControlFlow;
    ///
    /// let locks = redlock::Locks::builder().memory().build().await?;
    /// let election = locks.election("scheduler");
    /// let sum = election.run(|term| async move {
    ///     let work = async { 1 + 2 };
    ///     tokio::select! {
    ///         _ = term.stop_requested() => ControlFlow::Continue(()),
    ///         sum = work => ControlFlow::Break(sum),
    ///     }
    /// });
    /// assert_eq!(sum.await?, Some(3));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "memory"))]
    /// # fn main() {}
    /// ```
    ///
    /// Cancel safe: dropped, it drops the work first, and then resigns in the background.
    ///
    /// # Errors
    /// [`CampaignError`] where another campaign could not end otherwise: a wrong name or TTL, no fencing, or a shutdown.
    pub async fn run<T, F, W>(&self, mut work: F) -> Result<Option<T>, CampaignError>
    where
        F: FnMut(Term) -> W,
        W: Future<Output = ControlFlow<T>>,
    {
        loop {
            match self.win(Announcement::Meanwhile).await {
                Ok(leadership) => {
                    let work = Box::pin(work(leadership.term()));
                    if let Some(ControlFlow::Break(value)) = self.lead(leadership, work).await {
                        return Ok(Some(value));
                    }
                }
                Err(CampaignError::Retired) => return Ok(None),
                Err(error) if error.is_passing() => {}
                Err(error) => return Err(error),
            }
            let env = self.locks.env();
            let spread = u64::try_from(STAND_BACK.as_nanos()).unwrap_or(u64::MAX);
            let pause = STAND_BACK.saturating_add(Duration::from_nanos(env.jitter() % spread));
            env.sleep_until(env.now().saturating_add(pause)).await;
        }
    }

    /// Works until the work has returned, or must not go on; then resigns.
    async fn lead<W: Future + Unpin>(&self, mut leadership: Leadership, mut work: W) -> Option<W::Output> {
        let term = leadership.term();
        let stopped = tokio::select! {
            // First, so that the work does nothing more once it is to stop at once.
            biased;
            reason = term.stop_requested() => Either::Left(reason),
            value = &mut work => Either::Right(value),
        };
        let value = match stopped {
            Either::Right(value) => Some(value),
            Either::Left(reason) => {
                if !self.locks.protections().await_work() {
                    let _ = leadership.resign().await;
                }
                self.see_out(&term, reason, &mut work).await
            }
        };
        // It ends before the leadership does, whatever comes of it.
        drop(work);
        // What is not confirmed goes on in the background.
        let _ = leadership.resign().await;
        value
    }

    /// Waits for work that was told to stop, for as long as it may.
    async fn see_out<W: Future + Unpin>(
        &self,
        term: &Term,
        reason: StopReason,
        work: &mut W,
    ) -> Option<W::Output> {
        let protections = self.locks.protections();
        if matches!(reason, StopReason::Lost(_)) && protections.stop_in_time() {
            return None;
        }
        let env = self.locks.env();
        let is_ours = matches!(reason, StopReason::Ineligible | StopReason::Retired);
        let patience = self.grace.filter(|_| is_ours).map(|grace| env.now().saturating_add(grace));
        // Without waiting for the work the leadership has ended already: there is nothing to be in time for.
        let ends_in_time = protections.stop_in_time() && protections.await_work();
        let too_late = async {
            if ends_in_time {
                term.at_risk(term.stop_margin / 4).await;
            } else {
                std::future::pending().await
            }
        };
        let too_long = async {
            match patience {
                Some(at) => env.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = too_late => None,
            () = too_long => None,
            value = work => Some(value),
        }
    }
}
