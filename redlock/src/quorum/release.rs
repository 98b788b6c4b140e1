//! The counting of a release: what may truthfully be said of it.

use super::{NodeSet, Quorum};

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
    released: NodeSet,
    not_held: NodeSet,
    unknown: NodeSet,
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
        let [released, not_held, unknown] = [NodeSet::default(); 3];
        Self { quorum, released, not_held, unknown }
    }

    /// Counts a vote; `false` if this node has voted already or does not exist.
    pub(crate) fn record(&mut self, node: usize, vote: ReleaseVote) -> bool {
        let is_first = node < self.quorum.nodes() && self.vote(node).is_none();
        let cast = match vote {
            ReleaseVote::Released => &mut self.released,
            ReleaseVote::NotHeld => &mut self.not_held,
            ReleaseVote::Unknown => &mut self.unknown,
        };
        is_first && cast.insert(node)
    }

    /// What a node has voted.
    pub(crate) fn vote(&self, node: usize) -> Option<ReleaseVote> {
        if self.released.contains(node) {
            Some(ReleaseVote::Released)
        } else if self.not_held.contains(node) {
            Some(ReleaseVote::NotHeld)
        } else {
            self.unknown.contains(node).then_some(ReleaseVote::Unknown)
        }
    }

    /// Fewer further votes than this cannot decide a pending release; at least 1.
    pub(crate) fn fewest_to_decide(&self) -> usize {
        let confirmed = self.quorum.size().saturating_sub(self.released.len());
        let not = self.quorum.blocking().saturating_sub(self.not_held.len() + self.unknown.len());
        confirmed.min(not).max(1)
    }

    pub(crate) fn outcome(&self) -> ReleaseOutcome {
        let (released, not_held) = (self.released.len(), self.not_held.len());
        let missing = self.quorum.nodes() - released - not_held - self.unknown.len();
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
