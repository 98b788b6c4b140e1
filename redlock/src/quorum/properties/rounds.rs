//! Rounds of votes, against a count by hand.

use proptest::prelude::*;

use super::{first_answers, quorum_and_answers};
use crate::id::Instant;
use crate::quorum::{Outcome, Quorum, Round, Vote};

const VOTES: [Vote; 4] = [Vote::Granted, Vote::Taken, Vote::NotGranted, Vote::Unknown];

fn vote() -> impl Strategy<Value = Vote> + Clone {
    prop::sample::select(&VOTES[..])
}

/// Points in time, close to each other, to the origin and to the end of time.
fn instant() -> impl Strategy<Value = Instant> {
    prop_oneof![0..4_u64, 1_000..1_004_u64, u64::MAX - 3..=u64::MAX, any::<u64>()]
        .prop_map(Instant::from_nanos)
}

fn round_of(quorum: Quorum, votes: &[(usize, Vote)], valid_until: Instant, decide_by: Instant) -> Round {
    let mut round = Round::new(quorum, valid_until, decide_by);
    for &(node, vote) in votes {
        round.record(node, vote);
    }
    round
}

/// A round in the middle of time.
fn timely(quorum: Quorum, votes: &[(usize, Vote)]) -> Round {
    round_of(quorum, votes, Instant::from_nanos(20), Instant::from_nanos(20))
}

const IN_TIME: Instant = Instant::from_nanos(10);

fn count(votes: &[Option<Vote>], which: impl Fn(Vote) -> bool) -> usize {
    votes.iter().flatten().filter(|&&vote| which(vote)).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn the_outcome_is_what_a_count_by_hand_says(
        (quorum, votes) in quorum_and_answers(vote()),
        (valid_until, decide_by, now) in (instant(), instant(), instant()),
    ) {
        let round = round_of(quorum, &votes, valid_until, decide_by);
        let first = first_answers(quorum, &votes);
        let granted = count(&first, |vote| vote == Vote::Granted);
        let can_still_grant = granted + first.iter().filter(|vote| vote.is_none()).count();
        let expected = if granted >= quorum.size() {
            if now < valid_until && now < decide_by { Outcome::Held { valid_until } } else { Outcome::TooLate }
        } else if can_still_grant < quorum.size() {
            Outcome::Lacking
        } else {
            Outcome::Pending
        };
        prop_assert_eq!(round.outcome(now), expected);
    }

    #[test]
    fn only_the_first_vote_of_a_node_of_the_set_counts((quorum, votes) in quorum_and_answers(vote())) {
        let mut round = timely(quorum, &[]);
        let mut seen = Vec::new();
        for &(node, vote) in &votes {
            let before = (VOTES.map(|vote| round.count(vote)), round.outcome(IN_TIME));
            let is_new = node < quorum.nodes() && !seen.contains(&node);
            seen.push(node);
            prop_assert_eq!(round.record(node, vote), is_new);
            if !is_new {
                prop_assert_eq!((VOTES.map(|vote| round.count(vote)), round.outcome(IN_TIME)), before);
            }
        }
    }

    #[test]
    fn a_round_is_decided_once_all_have_voted(
        (quorum, votes) in quorum_and_answers(vote()),
        rest in prop::collection::vec(vote(), 9),
        now in instant(),
    ) {
        let mut round = timely(quorum, &votes);
        for (node, &vote) in (0..quorum.nodes()).zip(&rest) {
            round.record(node, vote);
        }
        prop_assert_ne!(round.outcome(now), Outcome::Pending);
        prop_assert_eq!(VOTES.map(|vote| round.count(vote)).iter().sum::<usize>(), quorum.nodes());
    }

    #[test]
    fn fewer_votes_than_it_says_decide_no_round((quorum, votes) in quorum_and_answers(vote())) {
        let mut round = timely(quorum, &[]);
        // So many more votes decide nothing.
        let mut idle = round.fewest_to_decide() - 1;
        for &(node, vote) in &votes {
            if !round.record(node, vote) {
                continue;
            }
            if round.outcome(IN_TIME) != Outcome::Pending {
                prop_assert_eq!(idle, 0);
                break;
            }
            idle = idle.saturating_sub(1).max(round.fewest_to_decide() - 1);
        }
    }

    #[test]
    fn what_is_decided_stays_decided((quorum, votes) in quorum_and_answers(vote())) {
        let mut round = timely(quorum, &[]);
        let mut decided = None;
        let (mut lost, mut taken) = (false, false);
        for &(node, vote) in &votes {
            round.record(node, vote);
            let outcome = round.outcome(IN_TIME);
            if let Some(decided) = decided {
                prop_assert_eq!(outcome, decided);
            } else if outcome != Outcome::Pending {
                decided = Some(outcome);
            }
            prop_assert!(round.is_lost() >= lost && round.is_taken() >= taken);
            (lost, taken) = (round.is_lost(), round.is_taken());
        }
    }

    #[test]
    fn time_can_only_take_a_hold_away(
        (quorum, votes) in quorum_and_answers(vote()),
        (valid_until, decide_by) in (instant(), instant()),
        (a, b) in (instant(), instant()),
    ) {
        let round = round_of(quorum, &votes, valid_until, decide_by);
        let (earlier, later) = (round.outcome(a.min(b)), round.outcome(a.max(b)));
        let runs_out = matches!(earlier, Outcome::Held { .. }) && later == Outcome::TooLate;
        prop_assert!(earlier == later || runs_out, "{:?} became {:?}", earlier, later);
    }

    #[test]
    fn lost_means_that_no_quorum_can_be_the_owners_whatever_the_silent_ones_have(
        (quorum, votes) in quorum_and_answers(vote()),
    ) {
        let round = timely(quorum, &votes);
        let first = first_answers(quorum, &votes);
        let certainly_not = count(&first, |vote| matches!(vote, Vote::Taken | Vote::NotGranted));
        prop_assert_eq!(round.is_lost(), quorum.nodes() - certainly_not < quorum.size());
        let held = matches!(round.outcome(IN_TIME), Outcome::Held { .. });
        prop_assert!(!(round.is_lost() && held));
    }

    #[test]
    fn taken_means_that_another_owner_may_have_a_quorum((quorum, votes) in quorum_and_answers(vote())) {
        let round = timely(quorum, &votes);
        let taken = count(&first_answers(quorum, &votes), |vote| vote == Vote::Taken);
        prop_assert_eq!(round.is_taken(), taken >= quorum.size());
        prop_assert!(!round.is_taken() || round.is_lost(), "two quorums meet");
    }
}

#[test]
fn an_even_split_is_decided_and_nobody_holds() {
    for nodes in [2, 4, 6, 8] {
        let vote = |node| if node % 2 == 0 { Vote::Granted } else { Vote::Taken };
        let votes: Vec<_> = (0..nodes).map(|node| (node, vote(node))).collect();
        let round = timely(Quorum::majority(nodes).unwrap(), &votes);
        assert_eq!(round.outcome(IN_TIME), Outcome::Lacking, "{nodes} nodes");
        assert!(!round.is_taken(), "{nodes} nodes: neither has the other one a quorum");
    }
}
