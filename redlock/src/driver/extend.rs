//! One round of extend: it counts only if a quorum answered before the old validity ended.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::acquire::{Excuses, vote_of};
use super::fanout::FanOut;
use super::{Answered, Driver, Owned};
use crate::error::{LostReason, NodeReport};
use crate::id::{Instant, Ttl};
use crate::node::{Description, ExtendRequest, Raise, Reply};
use crate::quorum::{Outcome, Round};

/// What a round of extend came to.
#[derive(Debug)]
pub(crate) enum Extension {
    /// A quorum has extended it in time.
    Extended {
        /// The new end of the validity.
        valid_until: Instant,
    },
    /// The nodes say that it is lost.
    Lost(LostReason),
    /// Neither: the old validity stands.
    Failed(Vec<NodeReport>),
}

impl Driver {
    /// Runs one round (design, section 4, "Extend").
    ///
    /// Cancel safe: requests of a dropped future may still prolong or restore the keys of this owner, never anybody else's, and
    /// never after the validity they were sent under; what they restore is released with the rest.
    pub(crate) async fn extend(
        self: &Arc<Self>,
        owned: &Arc<Owned>,
        ttl: Ttl,
        valid_until: Instant,
        fence: Option<Raise>,
        description: Option<Description>,
    ) -> Extension {
        let started = self.env.now();
        let decide_by =
            if self.protections.extend_in_time() { valid_until } else { Instant::from_nanos(u64::MAX) };
        let prolonged = self.drift.valid_until(started, ttl, self.protections.drift_allowance());
        let mut round = Round::new(self.quorum, prolonged, decide_by);
        let mut excuses = Excuses::default();

        let mut request =
            ExtendRequest::new(owned.name.clone(), owned.owner, owned.on_nodes(ttl), valid_until);
        request.fence = fence.filter(|_| self.protections.fence_extend());
        request.description = description;
        let mut requests = Extending::send(self, owned, &request, started);
        loop {
            if round.is_lost() && self.protections.lost_on_majority() {
                let taken = round.is_taken();
                return Extension::Lost(if taken { LostReason::Superseded } else { LostReason::Missing });
            }
            match round.outcome(self.env.now()) {
                Outcome::Held { valid_until } => return Extension::Extended { valid_until },
                Outcome::Pending | Outcome::Lacking => {}
                Outcome::TooLate => break,
            }
            // A round that cannot succeed any more is heard to its end: the silent nodes may say that it is lost.
            let Some((node, answer)) = requests.next().await else { break };
            let answer = self.weigh(node, answer);
            round.record(node, vote_of(&answer));
            excuses.note(node, answer);
        }
        Extension::Failed(self.report(excuses.votes(&round, self.nodes.len())))
    }
}

/// The requests of one round. Those that may create a key are seen to their end in the background when it is dropped.
struct Extending<'a> {
    driver: &'a Arc<Driver>,
    owned: &'a Arc<Owned>,
    /// They run until then.
    deadline: Instant,
    /// To nodes that have the key, or lost it: nothing is owed for them.
    prolonging: FanOut<Reply>,
    /// To nodes that may be given the key.
    restoring: Option<FanOut<Reply>>,
}

impl<'a> Extending<'a> {
    fn send(
        driver: &'a Arc<Driver>,
        owned: &'a Arc<Owned>,
        request: &ExtendRequest,
        started: Instant,
    ) -> Self {
        let deadline = request.deadline;
        let give_up = started.saturating_add(owned.node_timeout).min(deadline);
        let mut prolonging = driver.fan_out(started, give_up);
        let mut restoring: Option<FanOut<Reply>> = None;
        let keeps_for = driver.keeps_for(request.ttl);
        let protections = &driver.protections;
        for (index, node) in driver.nodes.iter().enumerate() {
            let mut claim = owned.claim();
            let may = claim.may_restore(index, node.incarnation()) || !protections.restore_new_only();
            let mut request = request.clone();
            // A release that is on its way must not be followed by a new key.
            request.restore = may && protections.restore() && !claim.is_closing();
            if request.restore {
                claim.asked(index, deadline, keeps_for);
                let restoring = restoring.get_or_insert_with(|| driver.fan_out(started, give_up));
                restoring.push(index, Arc::clone(node).extend(request));
            } else {
                claim.prolonged(index, deadline, keeps_for);
                prolonging.push(index, Arc::clone(node).extend(request));
            }
        }
        Self { driver, owned, deadline, prolonging, restoring }
    }

    async fn next(&mut self) -> Option<Answered<Reply>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Answered<Reply>>> {
        // Both are polled, so that both are sent.
        let prolonged = self.prolonging.poll_next(context, 1);
        let restored =
            self.restoring.as_mut().map_or(Poll::Ready(None), |requests| requests.poll_next(context, 1));
        if let Poll::Ready(Some(answered)) = restored {
            self.owned.note(&answered, self.deadline);
            if matches!(answered.1, Ok(Reply::Granted(_))) {
                self.driver.meters.restored(answered.0);
            }
            if let Poll::Ready(Some(prolonged)) = prolonged {
                self.prolonging.put_back(prolonged);
            }
            return Poll::Ready(Some(answered));
        }
        match prolonged {
            Poll::Ready(None) if restored.is_pending() => Poll::Pending,
            prolonged => prolonged,
        }
    }
}

impl Drop for Extending<'_> {
    fn drop(&mut self) {
        let Some(requests) = self.restoring.take().filter(|requests| !requests.is_empty()) else { return };
        if !self.driver.protections.adopt_stragglers() {
            return self.owned.claim().forget_awaited();
        }
        let owned = Arc::clone(self.owned);
        let meters = self.driver.meters.clone();
        self.driver.adopt(owned.see_through(requests, self.deadline, meters, true));
    }
}
