//! The counting of releases, against every way in which the missing answers could have come.

use proptest::prelude::*;

use super::{completions, first_answers, quorum_and_answers};
use crate::quorum::{Quorum, ReleaseOutcome, ReleaseTally, ReleaseVote};

const VOTES: [ReleaseVote; 3] = [ReleaseVote::Released, ReleaseVote::NotHeld, ReleaseVote::Unknown];

fn vote() -> impl Strategy<Value = ReleaseVote> + Clone {
    prop::sample::select(&VOTES[..])
}

fn tally_of(quorum: Quorum, votes: &[(usize, ReleaseVote)]) -> ReleaseTally {
    let mut tally = ReleaseTally::new(quorum);
    for &(node, vote) in votes {
        tally.record(node, vote);
    }
    tally
}

/// What may truthfully be said when all have voted: an Unknown may have been either of the others.
fn truth(quorum: Quorum, votes: &[ReleaseVote]) -> ReleaseOutcome {
    let count = |which| votes.iter().filter(|&&vote| vote == which).count();
    let had_it_at_least = count(ReleaseVote::Released);
    let had_it_at_most = had_it_at_least + count(ReleaseVote::Unknown);
    if had_it_at_least >= quorum.size() {
        ReleaseOutcome::Released
    } else if had_it_at_most < quorum.size() {
        ReleaseOutcome::NotHeld
    } else {
        ReleaseOutcome::Unconfirmed
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_outcome_is_pending_exactly_while_missing_answers_can_change_it(
        (quorum, votes) in quorum_and_answers(vote()).prop_filter("few enough to try all", |(q, _)| q.nodes() <= 6),
    ) {
        let mut possible: Vec<_> = completions(&first_answers(quorum, &votes), &VOTES)
            .iter()
            .map(|all| truth(quorum, all))
            .collect();
        possible.dedup();
        let first = possible[0];
        let expected = if possible.len() == 1 { first } else { ReleaseOutcome::Pending };
        prop_assert_eq!(tally_of(quorum, &votes).outcome(), expected);
    }

    #[test]
    fn a_release_is_decided_once_all_have_voted_and_truthful(
        (quorum, votes) in quorum_and_answers(vote()),
        rest in prop::collection::vec(vote(), 9),
    ) {
        let mut tally = tally_of(quorum, &votes);
        let mut all = votes;
        all.extend((0..quorum.nodes()).zip(rest));
        for &(node, vote) in &all {
            tally.record(node, vote);
        }
        let first: Vec<_> = first_answers(quorum, &all).into_iter().flatten().collect();
        prop_assert_eq!(first.len(), quorum.nodes());
        prop_assert_eq!(tally.outcome(), truth(quorum, &first));
    }

    #[test]
    fn fewer_votes_than_it_says_decide_no_release((quorum, votes) in quorum_and_answers(vote())) {
        let mut tally = ReleaseTally::new(quorum);
        // So many more votes decide nothing.
        let mut idle = tally.fewest_to_decide() - 1;
        for &(node, vote) in &votes {
            if !tally.record(node, vote) {
                continue;
            }
            if tally.outcome() != ReleaseOutcome::Pending {
                prop_assert_eq!(idle, 0);
                break;
            }
            idle = idle.saturating_sub(1).max(tally.fewest_to_decide() - 1);
        }
    }

    #[test]
    fn only_the_first_answer_of_a_node_of_the_set_counts((quorum, votes) in quorum_and_answers(vote())) {
        let mut tally = ReleaseTally::new(quorum);
        let mut seen = Vec::new();
        let mut decided = None;
        for &(node, vote) in &votes {
            let before = tally.outcome();
            let is_new = node < quorum.nodes() && !seen.contains(&node);
            seen.push(node);
            prop_assert_eq!(tally.record(node, vote), is_new);
            let outcome = tally.outcome();
            prop_assert!(is_new || outcome == before);
            prop_assert!(decided.is_none_or(|decided| decided == outcome), "what is decided stays decided");
            decided = Some(outcome).filter(|&outcome| outcome != ReleaseOutcome::Pending);
        }
    }
}
