//! The counting of a release: what may truthfully be said of it.

use super::Quorum;

/// What one node said to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReleaseVote {
    /// The owner had the name there, and has it no longer.
    Released,
    /// The owner did not have it there.
    NotHeld,
    /// No answer, or an error.
    Unknown,
}

/// The counting of one release. The first vote of a node counts.
#[derive(Debug, Clone)]
pub(crate) struct ReleaseTally {
    quorum: Quorum,
    votes: Vec<Option<ReleaseVote>>,
}

/// What a release came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReleaseOutcome {
    /// Answers that can still change the outcome are missing.
    Pending,
    /// A quorum had it and has it no longer: it was held to the end.
    Released,
    /// So many nodes did not have it that no quorum can have had it.
    NotHeld,
    /// Too many nodes did not answer to say either.
    Unconfirmed,
}

impl ReleaseTally {
    pub(crate) fn new(quorum: Quorum) -> Self {
        Self { quorum, votes: vec![None; quorum.nodes()] }
    }

    /// Counts a vote; `false` if this node has voted already or does not exist.
    pub(crate) fn record(&mut self, node: usize, vote: ReleaseVote) -> bool {
        match self.votes.get_mut(node) {
            Some(slot @ None) => {
                *slot = Some(vote);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn outcome(&self) -> ReleaseOutcome {
        let count = |vote| self.votes.iter().flatten().filter(|&&cast| cast == vote).count();
        let (released, not_held) = (count(ReleaseVote::Released), count(ReleaseVote::NotHeld));
        let missing = self.votes.iter().filter(|vote| vote.is_none()).count();
        if released >= self.quorum.size() {
            ReleaseOutcome::Released
        } else if self.quorum.blocked_by(not_held) {
            ReleaseOutcome::NotHeld
        } else if released + missing < self.quorum.size() && !self.quorum.blocked_by(not_held + missing) {
            ReleaseOutcome::Unconfirmed
        } else {
            ReleaseOutcome::Pending
        }
    }
}
