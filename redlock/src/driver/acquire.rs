//! One round of acquire: sent to every node, decided at quorum, its fencing token settled.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::flight::{Event, Flight};
use super::{Driver, Owned, earlier};
use crate::env::{RandomError, fresh_owner};
use crate::error::{NodeReport, NodeVote};
use crate::id::{FencingToken, Instant, LockName, OwnerToken, Ttl};
use crate::node::{NodeError, Refusal, RefusalReason, Reply};
use crate::quorum::{Fencing, Outcome, Round, Situation, Vote};

/// What one round is to do.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) name: LockName,
    pub(crate) ttl: Ttl,
    pub(crate) node_timeout: Duration,
    /// How long nodes keep an unused fencing counter; `None`: no token.
    pub(crate) fencing: Option<Duration>,
    /// The caller waits no longer than this.
    pub(crate) give_up_at: Option<Instant>,
    /// The token of an earlier round of the same acquisition: used again only where that safeguard is off.
    pub(crate) earlier_owner: Option<OwnerToken>,
}

/// A round that brought nothing. What it left on nodes is being released.
#[derive(Debug)]
pub(crate) struct RoundFailure {
    pub(crate) situation: Situation,
    pub(crate) nodes: Vec<NodeReport>,
    pub(crate) owner: OwnerToken,
    /// Nodes had less than their time to answer, because the caller waits no longer.
    pub(crate) cut_short: bool,
}

/// A quorum has granted, until then.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) owned: Arc<Owned>,
    pub(crate) valid_until: Instant,
    pub(crate) token: Option<FencingToken>,
    /// [`Driver::own_moves`] when it was begun.
    pub(crate) own_moves: u64,
}

impl Driver {
    /// Runs one round (design, section 4, "Acquire").
    ///
    /// Cancel safe: a future that is dropped half-way releases every node that was asked, in the background.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        attempt: Attempt,
    ) -> Result<Result<Held, RoundFailure>, RandomError> {
        let owner = match attempt.earlier_owner {
            Some(owner) if !self.protections.fresh_owner() => owner,
            _ => fresh_owner(&*self.env)?,
        };
        let own_moves = self.own_moves();
        let started = self.env.now();
        let patience = started.saturating_add(attempt.node_timeout);
        let deadline = earlier(patience, attempt.give_up_at);
        let valid_until = self.drift.valid_until(started, attempt.ttl, self.protections.drift_allowance());
        let mut round = Round::new(self.quorum, valid_until, valid_until);
        let mut votes = vec![NodeVote::Pending; self.nodes.len()];
        let mut fencing = attempt.fencing.map(|_| Fencing::new(self.quorum));

        let owned = Owned::new(attempt.name.clone(), owner, attempt.node_timeout, self.quorum);
        let mut flight = Flight::send(self, owned, &attempt, started, deadline);
        loop {
            // Reading the clock again at quorum covers whatever delayed us meanwhile.
            let now = if self.protections.validity_check() { self.env.now() } else { started };
            match round.outcome(now) {
                // The clock that its validity was taken from was wrong.
                Outcome::Held { .. } if self.own_moves() != own_moves => break,
                Outcome::Held { valid_until } => {
                    let Some(fencing) = &mut fencing else {
                        return Ok(Ok(Held { owned: flight.keep(), valid_until, token: None, own_moves }));
                    };
                    let settled = fencing.settled(self.protections.fence_quorum());
                    if let Some(token) = settled.and_then(FencingToken::new) {
                        return Ok(Ok(Held {
                            owned: flight.keep(),
                            valid_until,
                            token: Some(token),
                            own_moves,
                        }));
                    }
                    flight.raise(fencing, &attempt, valid_until);
                }
                Outcome::Lacking | Outcome::TooLate => break,
                Outcome::Pending => {}
            }
            let Some((node, event)) = flight.next().await else { break };
            if let (Some(fencing), Some(counter)) = (&mut fencing, event.counter()) {
                fencing.record(node, counter);
            }
            count(&mut round, &mut votes, node, event);
        }
        // What is here already belongs to the picture: nodes that are silent are given up all at once.
        while let Some(Some((node, event))) = flight.next().now_or_never() {
            count(&mut round, &mut votes, node, event);
        }
        let situation = situation(&votes, self.quorum.size());
        // Dropping the flight releases what was granted or may yet be.
        drop(flight);
        let cut_short = deadline < patience;
        Ok(Err(RoundFailure { situation, nodes: self.report(votes), owner, cut_short }))
    }
}

fn count(round: &mut Round, votes: &mut [NodeVote], node: usize, event: Event) {
    match event {
        Event::Voted(answer) => {
            round.record(node, vote_of(&answer));
            votes[node] = report_of(answer);
        }
        Event::Raised(Ok(Reply::Granted(_))) => {}
        // A node that granted and does not store the token is of no use.
        Event::Raised(answer) => votes[node] = report_of(answer),
    }
}

pub(super) fn vote_of(answer: &Result<Reply, NodeError>) -> Vote {
    match answer {
        Ok(Reply::Granted(_)) => Vote::Granted,
        Ok(Reply::Refused(refusal)) => match refusal.reason {
            RefusalReason::Held => Vote::Taken,
            RefusalReason::Missing | RefusalReason::Exhausted => Vote::NotGranted,
            // They say nothing of who has the name.
            RefusalReason::Stale | RefusalReason::Quarantined => Vote::Unknown,
        },
        Err(_) => Vote::Unknown,
    }
}

pub(super) fn report_of(answer: Result<Reply, NodeError>) -> NodeVote {
    match answer {
        Ok(Reply::Granted(_)) => NodeVote::Granted,
        Ok(Reply::Refused(refusal)) => NodeVote::Refused(refusal),
        Err(error) => NodeVote::Failed(error),
    }
}

/// Why a round failed, from what the nodes said.
fn situation(votes: &[NodeVote], quorum: usize) -> Situation {
    let says_nothing = |vote: &&NodeVote| match vote {
        NodeVote::Failed(_) => true,
        NodeVote::Refused(refusal) => {
            matches!(refusal.reason, RefusalReason::Stale | RefusalReason::Quarantined)
        }
        NodeVote::Granted | NodeVote::Pending => false,
    };
    if votes.iter().filter(says_nothing).count() > votes.len() - quorum {
        return Situation::Unreachable;
    }
    if votes.iter().any(|vote| matches!(vote, NodeVote::Granted)) {
        return Situation::Split;
    }
    // The lock is worth another try when a quorum of nodes may be free: the quorum-th shortest remainder.
    let mut left: Vec<Option<Duration>> = votes
        .iter()
        .filter_map(|vote| match vote {
            NodeVote::Refused(Refusal { remaining, .. }) => Some(*remaining),
            _ => None,
        })
        .collect();
    left.sort_by_key(|left| left.unwrap_or(Duration::MAX));
    Situation::Held { remaining: left.get(quorum - 1).copied().flatten() }
}
