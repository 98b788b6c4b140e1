//! One round of votes: acquire or extend.

use crate::id::Instant;

use super::{NodeSet, Quorum};

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
    granted: NodeSet,
    taken: NodeSet,
    not_granted: NodeSet,
    unknown: NodeSet,
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
        let [granted, taken, not_granted, unknown] = [NodeSet::default(); 4];
        Self { quorum, granted, taken, not_granted, unknown, valid_until, decide_by }
    }

    /// Counts a vote; `false` if this node has voted already or does not exist.
    pub(crate) fn record(&mut self, node: usize, vote: Vote) -> bool {
        let is_first = node < self.quorum.nodes() && self.vote(node).is_none();
        let cast = match vote {
            Vote::Granted => &mut self.granted,
            Vote::Taken => &mut self.taken,
            Vote::NotGranted => &mut self.not_granted,
            Vote::Unknown => &mut self.unknown,
        };
        is_first && cast.insert(node)
    }

    /// Where the round stands, with the clock read again.
    pub(crate) fn outcome(&self, now: Instant) -> Outcome {
        let (granted, against) = (self.granted.len(), self.against());
        if granted >= self.quorum.size() {
            let end = self.decide_by.min(self.valid_until);
            if now < end { Outcome::Held { valid_until: self.valid_until } } else { Outcome::TooLate }
        } else if self.quorum.blocked_by(against) {
            Outcome::Lacking
        } else {
            Outcome::Pending
        }
    }

    /// Fewer further votes than this cannot decide a pending round; at least 1.
    pub(crate) fn fewest_to_decide(&self) -> usize {
        let for_it = self.quorum.size().saturating_sub(self.granted.len());
        let against_it = self.quorum.blocking().saturating_sub(self.against());
        for_it.min(against_it).max(1)
    }

    /// What a node has voted.
    pub(crate) fn vote(&self, node: usize) -> Option<Vote> {
        let of = |vote: &Vote| self.cast(*vote).contains(node);
        [Vote::Granted, Vote::Taken, Vote::NotGranted, Vote::Unknown].into_iter().find(of)
    }

    /// How many nodes have voted so.
    pub(crate) fn count(&self, vote: Vote) -> usize {
        self.cast(vote).len()
    }

    fn cast(&self, vote: Vote) -> NodeSet {
        match vote {
            Vote::Granted => self.granted,
            Vote::Taken => self.taken,
            Vote::NotGranted => self.not_granted,
            Vote::Unknown => self.unknown,
        }
    }

    /// How many nodes have voted anything but granted.
    fn against(&self) -> usize {
        self.taken.len() + self.not_granted.len() + self.unknown.len()
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
