//! One round of extend: it counts only if a quorum answered before the old validity ended.

use std::sync::Arc;

use super::acquire::{report_of, vote_of};
use super::fanout::FanOut;
use super::{Driver, Owned};
use crate::error::{LostReason, NodeReport, NodeVote};
use crate::id::{Instant, Ttl};
use crate::node::{ExtendRequest, Raise};
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
    /// Cancel safe: requests of a dropped future may still prolong the keys of this owner, never anybody else's, and
    /// never after the validity they were sent under.
    pub(crate) async fn extend(
        &self,
        owned: &Owned,
        ttl: Ttl,
        valid_until: Instant,
        fence: Option<Raise>,
    ) -> Extension {
        let started = self.env.now();
        let deadline = started.saturating_add(owned.node_timeout).min(valid_until);
        let decide_by =
            if self.protections.extend_in_time() { valid_until } else { Instant::from_nanos(u64::MAX) };
        let prolonged = self.drift.valid_until(started, ttl, self.protections.drift_allowance());
        let mut round = Round::new(self.quorum, prolonged, decide_by);
        let mut votes = vec![NodeVote::Pending; self.nodes.len()];

        let mut requests = FanOut::new(&*self.env, started, deadline);
        for (index, (node, address)) in self.nodes.iter().zip(&self.addresses).enumerate() {
            owned.claim().prolonged(index, valid_until, self.keeps_for(ttl));
            let mut request = ExtendRequest::new(owned.name.clone(), owned.owner, ttl, valid_until);
            request.fence = fence.filter(|_| self.protections.fence_extend());
            requests.push(index, address, Arc::clone(node).extend(request));
        }
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
            round.record(node, vote_of(&answer));
            votes[node] = report_of(answer);
        }
        Extension::Failed(self.report(votes))
    }
}
