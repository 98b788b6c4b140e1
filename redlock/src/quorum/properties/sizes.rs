//! Quorums, all of them for up to nine nodes.

use crate::quorum::{InvalidQuorum, Quorum};

/// Every quorum of up to nine nodes.
fn all() -> impl Iterator<Item = Quorum> {
    (1..=9).flat_map(|nodes| (1..=nodes).filter_map(move |size| Quorum::new(nodes, size).ok()))
}

#[test]
fn any_two_quorums_of_a_node_set_share_a_node() {
    for quorum in all() {
        let sets = 0_u32..1 << quorum.nodes();
        let quorums: Vec<_> = sets.filter(|set| set.count_ones() as usize >= quorum.size()).collect();
        for a in &quorums {
            assert!(quorums.iter().all(|b| a & b != 0), "{quorum:?}: {a:b} misses another");
        }
    }
}

#[test]
fn a_quorum_is_built_exactly_from_a_majority_up_to_all_nodes() {
    for nodes in 0..=Quorum::MAX_NODES + 2 {
        for size in 0..=nodes + 2 {
            let expected = if nodes == 0 {
                Err(InvalidQuorum::NoNodes)
            } else if nodes > Quorum::MAX_NODES {
                Err(InvalidQuorum::TooManyNodes { nodes })
            } else if 2 * size <= nodes {
                Err(InvalidQuorum::BelowMajority { nodes, size })
            } else if size > nodes {
                Err(InvalidQuorum::AboveNodes { nodes, size })
            } else {
                Ok((nodes, size))
            };
            let built = Quorum::new(nodes, size).map(|quorum| (quorum.nodes(), quorum.size()));
            assert_eq!(built, expected, "{size} of {nodes}");
        }
    }
    assert!(Quorum::new(usize::MAX, usize::MAX).is_err());
}

#[test]
fn a_majority_is_the_smallest_quorum() {
    for nodes in 1..=Quorum::MAX_NODES {
        let size = Quorum::majority(nodes).unwrap().size();
        assert!(2 * size > nodes && 2 * (size - 1) <= nodes, "{size} of {nodes}");
    }
}

#[test]
fn a_quorum_is_blocked_exactly_when_the_others_are_too_few() {
    for quorum in all() {
        for against in 0..=quorum.nodes() {
            assert_eq!(quorum.blocked_by(against), quorum.nodes() - against < quorum.size(), "{quorum:?}");
        }
    }
}
