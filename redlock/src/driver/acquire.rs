//! One round of acquire: sent to every node, decided at quorum, its fencing token settled.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::flight::{Event, Flight};
use super::{Driver, Owned, earlier};
use crate::env::{RandomError, fresh_owner};
use crate::error::{NodeReport, NodeVote};
use crate::holder::Introduction;
use crate::id::{FencingToken, Instant, LockName, OwnerToken, Ttl};
use crate::node::{NodeError, OwnerId, Refusal, RefusalReason, Reply};
use crate::quorum::{Fencing, Outcome, Round, Situation, Vote};

/// What one round is to do.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) name: LockName,
    pub(crate) ttl: Ttl,
    pub(crate) node_timeout: Duration,
    /// How much longer than the TTL nodes are to keep it.
    pub(crate) takeover_delay: Duration,
    /// How long nodes keep an unused fencing counter; `None`: no token.
    pub(crate) fencing: Option<Duration>,
    /// For how many further holders there are to be tokens; `None`: it is not handed over.
    pub(crate) handoff: Option<u32>,
    /// The caller waits no longer than this.
    pub(crate) give_up_at: Option<Instant>,
    /// The token of an earlier round of the same acquisition: used again only where that safeguard is off.
    pub(crate) earlier_owner: Option<OwnerToken>,
    /// What the holder says of itself.
    pub(crate) introduction: Introduction,
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

impl Attempt {
    /// How many tokens to take.
    pub(super) fn span(&self) -> u64 {
        u64::from(self.handoff.unwrap_or(0)) + 1
    }
}

/// A quorum has granted, until then.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) owned: Arc<Owned>,
    pub(crate) valid_until: Instant,
    /// How long the quorum took to answer.
    pub(crate) took: Duration,
    /// The last of the tokens that were asked for; a quorum stores it.
    pub(crate) token: Option<FencingToken>,
    /// [`Driver::own_moves`] when it was begun.
    pub(crate) own_moves: u64,
    /// What was said of the holder.
    pub(crate) introduction: Introduction,
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
        let mut excuses = Excuses::default();
        let mut fencing = attempt.fencing.map(|_| Fencing::new(self.quorum));

        let introduction = attempt.introduction.now(&*self.env);
        let owned = Owned::new(&attempt, owner, self.quorum);
        let mut flight = Flight::send(self, owned, &attempt, introduction.description(), started, deadline);
        loop {
            // Reading the clock again at quorum covers whatever delayed us meanwhile.
            let now = if self.protections.validity_check() { self.env.now() } else { started };
            match round.outcome(now) {
                // The clock that its validity was taken from was wrong.
                Outcome::Held { .. } if self.own_moves() != own_moves => break,
                Outcome::Held { valid_until } => {
                    let took = now.saturating_since(started);
                    let Some(fencing) = &mut fencing else {
                        let (owned, token) = (flight.keep(), None);
                        return Ok(Ok(Held { owned, valid_until, took, token, own_moves, introduction }));
                    };
                    let settled = fencing.settled(self.protections.fence_quorum());
                    if let Some(token) = settled.and_then(FencingToken::new) {
                        return Ok(Ok(Held {
                            owned: flight.keep(),
                            valid_until,
                            took,
                            token: Some(token),
                            own_moves,
                            introduction,
                        }));
                    }
                    flight.raise(fencing, &attempt, valid_until);
                }
                Outcome::Lacking | Outcome::TooLate => break,
                Outcome::Pending => {}
            }
            let Some((node, event)) = flight.next(round.fewest_to_decide()).await else { break };
            if let (Some(fencing), Some(counter)) = (&mut fencing, event.counter()) {
                fencing.record(node, counter);
            }
            count(&mut round, &mut excuses, node, event);
        }
        // What is here already belongs to the picture: nodes that are silent are given up all at once.
        while let Some(Some((node, event))) = flight.next(1).now_or_never() {
            count(&mut round, &mut excuses, node, event);
        }
        let votes = excuses.votes(&round, self.nodes.len());
        let situation = situation(&votes, self.quorum.size());
        // Dropping the flight releases what was granted or may yet be.
        drop(flight);
        let cut_short = deadline < patience;
        Ok(Err(RoundFailure { situation, nodes: self.report(votes), owner, cut_short }))
    }
}

fn count(round: &mut Round, excuses: &mut Excuses, node: usize, event: Event) {
    match event {
        Event::Voted(answer) => {
            round.record(node, vote_of(&answer));
            excuses.note(node, answer);
        }
        // A node that granted and does not store the token is of no use.
        Event::Raised(answer) => excuses.note(node, answer),
    }
}

/// What nodes said that did not grant, for errors. In the usual case there is nothing, and nothing is allocated.
#[derive(Default)]
pub(super) struct Excuses(Vec<(usize, NodeVote)>);

impl Excuses {
    pub(super) fn note(&mut self, node: usize, answer: Result<Reply, NodeError>) {
        match answer {
            Ok(Reply::Granted(_)) => {}
            Ok(Reply::Refused(refusal)) => self.0.push((node, NodeVote::Refused(refusal))),
            Err(error) => self.0.push((node, NodeVote::Failed(error))),
        }
    }

    /// What all nodes said, a vote each: the last that was noted of it.
    pub(super) fn votes(mut self, round: &Round, nodes: usize) -> Vec<NodeVote> {
        let vote = |node: usize| {
            let voted = if round.vote(node).is_some() { NodeVote::Granted } else { NodeVote::Pending };
            let noted = self.0.iter().rposition(|&(of, _)| of == node);
            noted.map_or(voted, |noted| self.0.swap_remove(noted).1)
        };
        (0..nodes).map(vote).collect()
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
    let granted = || votes.iter().any(|vote| matches!(vote, NodeVote::Granted));
    // Of many who ask at once most get no vote at all. That others have split them is told by who has them; taken for a holder, whom to
    // ask again soon harms nobody, they were asked again and again, and split once more.
    let named = votes.iter().filter_map(|vote| match vote {
        NodeVote::Refused(refusal) if refusal.reason == RefusalReason::Held => refusal.owner,
        _ => None,
    });
    let most = OwnerId::most(named.clone());
    if most < quorum && (granted() || most < named.count()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn held(owner: &[u8]) -> NodeVote {
        let refusal = Refusal::new(RefusalReason::Held, Some(Duration::from_secs(1)));
        NodeVote::Refused(refusal.of_owner(OwnerId::of_stored(owner)))
    }

    fn by_somebody() -> NodeVote {
        NodeVote::Refused(Refusal::new(RefusalReason::Held, None))
    }

    #[test]
    fn a_holder_is_told_from_contenders_by_who_has_the_nodes() {
        let is_split = |votes: [NodeVote; 5]| matches!(situation(&votes, 3), Situation::Split);
        let silent = || NodeVote::Pending;
        assert!(is_split([held(b"a"), held(b"b"), held(b"c"), silent(), silent()]));
        assert!(is_split([held(b"a"), held(b"a"), held(b"b"), held(b"b"), held(b"c")]));
        assert!(is_split([NodeVote::Granted, held(b"a"), held(b"a"), held(b"b"), silent()]));
        assert!(is_split([NodeVote::Granted, by_somebody(), by_somebody(), by_somebody(), silent()]));
        assert!(!is_split([held(b"a"), held(b"a"), held(b"a"), held(b"b"), held(b"b")]));
        assert!(!is_split([NodeVote::Granted, NodeVote::Granted, held(b"a"), held(b"a"), held(b"a")]));
        assert!(!is_split([held(b"a"), by_somebody(), by_somebody(), silent(), silent()]));
        assert!(!is_split([by_somebody(), by_somebody(), by_somebody(), silent(), silent()]));
    }
}
