//! One round of votes: acquire or extend.

use crate::id::Instant;

use super::Quorum;

/// What one node said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vote {
    /// The owner has the name there.
    Granted,
    /// Another owner has it there.
    Taken,
    /// The owner does not have it there, nor does anybody else as far as the node said.
    NotGranted,
    /// No answer, or an error: nobody knows.
    Unknown,
}

/// The counting of one round. The first vote of a node counts; repetitions and strangers do not.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    quorum: Quorum,
    votes: Vec<Option<Vote>>,
    /// The validity that a quorum gives.
    valid_until: Instant,
    /// Quorum must be reached before this point: `valid_until` itself for an acquisition, the end of the validity
    /// that is being prolonged for an extension.
    decide_by: Instant,
}

/// Where a round stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Votes that can still change the outcome are missing.
    Pending,
    /// A quorum has granted in time.
    Held {
        /// The end of the validity.
        valid_until: Instant,
    },
    /// A quorum can no longer be reached.
    Lacking,
    /// A quorum has granted, but too late for any validity.
    TooLate,
}

impl Round {
    /// A round that gives validity until `valid_until`, if a quorum grants before `decide_by`.
    pub(crate) fn new(quorum: Quorum, valid_until: Instant, decide_by: Instant) -> Self {
        Self { quorum, votes: vec![None; quorum.nodes()], valid_until, decide_by }
    }

    /// Counts a vote; `false` if this node has voted already or does not exist.
    pub(crate) fn record(&mut self, node: usize, vote: Vote) -> bool {
        match self.votes.get_mut(node) {
            Some(slot @ None) => {
                *slot = Some(vote);
                true
            }
            _ => false,
        }
    }

    /// Where the round stands, with the clock read again.
    pub(crate) fn outcome(&self, now: Instant) -> Outcome {
        let granted = self.count(Vote::Granted);
        let against = self.votes.iter().flatten().count() - granted;
        if granted >= self.quorum.size() {
            let end = self.decide_by.min(self.valid_until);
            if now < end { Outcome::Held { valid_until: self.valid_until } } else { Outcome::TooLate }
        } else if self.quorum.blocked_by(against) {
            Outcome::Lacking
        } else {
            Outcome::Pending
        }
    }

    /// How many nodes have voted so.
    pub(crate) fn count(&self, vote: Vote) -> usize {
        self.votes.iter().flatten().filter(|&&cast| cast == vote).count()
    }

    /// Whether so many nodes have said for certain that the owner has nothing there that no quorum of them can be left
    /// with the owner: the lock is lost, whatever the silent ones would say.
    pub(crate) fn is_lost(&self) -> bool {
        self.quorum.blocked_by(self.count(Vote::Taken) + self.count(Vote::NotGranted))
    }

    /// Whether so many nodes name another owner that it may hold a quorum.
    pub(crate) fn is_taken(&self) -> bool {
        self.count(Vote::Taken) >= self.quorum.size()
    }
}
