//! Courses of the pure core, to be measured: `redlock/benches/core.rs`.

use std::time::Duration;

use crate::id::Instant;
use crate::quorum::{Answer, Claim, Fencing, Quorum, ReleaseTally, ReleaseVote, Round, Vote};

const END: Instant = Instant::from_nanos(10_000_000_000);
const NOW: Instant = Instant::from_nanos(1_000_000_000);

/// A round that a majority grants, counted vote by vote, its token settled: what an acquisition decides.
pub fn granted_round(quorum: Quorum) -> bool {
    let mut round = Round::new(quorum, END, END);
    let mut fencing = Fencing::new(quorum);
    let mut token = None;
    for node in 0..quorum.size() {
        round.record(node, Vote::Granted);
        fencing.record(node, 7);
        if matches!(round.outcome(NOW), crate::quorum::Outcome::Held { .. }) {
            token = fencing.settled(true);
        }
    }
    token == Some(7)
}

/// A round in which every node says that another owner has the name.
pub fn refused_round(quorum: Quorum) -> bool {
    let mut round = Round::new(quorum, END, END);
    (0..quorum.nodes()).all(|node| round.record(node, Vote::Taken)) && round.is_taken()
}

/// An account from the first request to the last answer: acquired and released on every node.
pub fn settled_claim(quorum: Quorum) -> bool {
    let mut claim = Claim::new(quorum);
    for node in 0..quorum.nodes() {
        claim.asked(node, END, Duration::from_secs(10));
    }
    for node in 0..quorum.nodes() {
        claim.answered(node, Answer::Granted);
    }
    for (node, _) in claim.start_release(NOW, true) {
        claim.released(node, true, true);
    }
    claim.is_settled(NOW)
}

/// A release that every node confirms.
pub fn confirmed_release(quorum: Quorum) -> bool {
    let mut tally = ReleaseTally::new(quorum);
    (0..quorum.nodes()).all(|node| tally.record(node, ReleaseVote::Released))
        && tally.outcome() == crate::quorum::ReleaseOutcome::Released
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_comes_to_its_end() {
        for nodes in [1, 3, 5, 9] {
            let quorum = Quorum::majority(nodes).unwrap();
            for course in [granted_round, refused_round, settled_claim, confirmed_release] {
                assert!(course(quorum), "{nodes}");
            }
        }
    }
}
