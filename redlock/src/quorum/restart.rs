//! What is to be done about a node's memory (design, section 4, "Restart guard").
//!
//! A node that has lost its memory would grant what somebody still holds. It is kept in quarantine until everything that it may
//! have forgotten has ended, and then takes a floor for its fencing counters from nodes that have forgotten nothing.

use crate::id::{Charter, Standing};

use super::Quorum;

/// A node as the guard sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) standing: Standing,
    /// No fencing counter of the node is above this. `None`: not known, or not asked.
    pub(crate) ceiling: Option<u64>,
}

/// What to do about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Rest,
    /// It has no marker of its present memory: make one, with this charter.
    Quarantine(Charter),
    /// It is in quarantine under another fleet than the rest: let it join, with this charter.
    Join(Charter),
    /// It is in quarantine, which ends by its own clock.
    Wait,
    /// It cannot be used by this client.
    Foreign(Misfit),
}

/// What a node's charter and the client's settings disagree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    #[error(
        "its clients use maxExpiration = {theirs:?}, and this one {ours:?}; all clients of a node must agree on it"
    )]
    MaxTtl { theirs: std::time::Duration, ours: std::time::Duration },
    #[error(
        "it belongs to a set of {theirs} nodes with a quorum of {their_quorum}, and this client has {ours} with a quorum of \
         {our_quorum}; all clients must name the same nodes"
    )]
    Size { theirs: u32, their_quorum: u32, ours: u32, our_quorum: u32 },
    #[error(
        "it belongs to another set of nodes than the others (fleet {theirs:016x} instead of {ours:016x})"
    )]
    Fleet { theirs: u64, ours: u64 },
}

/// The charter that this client's nodes should have: `wanted`, in the fleet that is there already, if there is one.
///
/// Nodes that have been admitted decide; otherwise clients that begin at the same moment agree on the least number. A node in
/// quarantine has time enough to join.
pub(crate) fn charter(wanted: Charter, seen: &[Seen]) -> Charter {
    let mut admitted: Vec<(u64, u64)> = Vec::new();
    let mut others: Vec<(u64, u64)> = Vec::new();
    for seen in seen {
        match seen.standing {
            Standing::Marked(marker) if marker.floor.is_some() => {
                admitted.push((marker.charter.fleet, marker.charter.epoch));
            }
            Standing::Marked(marker) => others.push((marker.charter.fleet, marker.charter.epoch)),
            Standing::Unmarked(Some(earlier)) => others.push((earlier.fleet, earlier.epoch)),
            Standing::Unmarked(None) | Standing::Unguarded | Standing::Unknown => {}
        }
    }
    let known = most_frequent(&admitted).or_else(|| others.into_iter().min());
    known.map_or(wanted, |(fleet, epoch)| Charter { fleet, epoch, ..wanted })
}

/// The one that most nodes have; of several the least.
fn most_frequent(known: &[(u64, u64)]) -> Option<(u64, u64)> {
    let count = |one| known.iter().filter(|other| **other == one).count();
    known.iter().copied().max_by_key(|&one| (count(one), std::cmp::Reverse(one)))
}

/// What to do about a node, whose charter should be `charter`.
pub(crate) fn step(standing: Standing, charter: Charter) -> Step {
    match standing {
        Standing::Unguarded | Standing::Unknown => Step::Rest,
        Standing::Unmarked(None) => Step::Quarantine(charter),
        // What was agreed on before outlives the memory: a client with other settings must not begin anew.
        Standing::Unmarked(Some(earlier)) => match misfit(&earlier, &charter) {
            Some(misfit @ (Misfit::MaxTtl { .. } | Misfit::Size { .. })) => Step::Foreign(misfit),
            Some(Misfit::Fleet { .. }) | None => Step::Quarantine(charter),
        },
        Standing::Marked(marker) => match (misfit(&marker.charter, &charter), marker.floor) {
            (Some(Misfit::Fleet { .. }), None) => Step::Join(charter),
            (Some(misfit), _) => Step::Foreign(misfit),
            (None, None) => Step::Wait,
            (None, Some(_)) => Step::Rest,
        },
    }
}

fn misfit(theirs: &Charter, ours: &Charter) -> Option<Misfit> {
    if theirs.max_ttl != ours.max_ttl {
        return Some(Misfit::MaxTtl { theirs: theirs.max_ttl, ours: ours.max_ttl });
    }
    if (theirs.nodes, theirs.quorum) != (ours.nodes, ours.quorum) {
        return Some(Misfit::Size {
            theirs: theirs.nodes,
            their_quorum: theirs.quorum,
            ours: ours.nodes,
            our_quorum: ours.quorum,
        });
    }
    (theirs.fleet != ours.fleet).then_some(Misfit::Fleet { theirs: theirs.fleet, ours: ours.fleet })
}

/// Where the fencing counters of `node` begin when its quarantine ends; `None`: too few others have said how far theirs have
/// come.
///
/// A token that counts is stored by a quorum. Of N - quorum + 1 other nodes that have forgotten nothing, one stores it. Where there
/// are not that many left, since a majority has lost its memory, counters begin above all that is known; their order then
/// rests on the nodes' clocks.
pub(crate) fn floor(node: usize, seen: &[Seen], quorum: Quorum, from_others: bool) -> Option<u64> {
    let own = seen.get(node).and_then(|seen| seen.ceiling);
    if !from_others {
        return own;
    }
    let needed = quorum.nodes() - quorum.size() + 1;
    let others = || seen.iter().enumerate().filter(|(other, _)| *other != node).map(|(_, seen)| seen);
    let remembers = |seen: &&Seen| match seen.standing {
        Standing::Marked(marker) => marker.floor.is_some(),
        Standing::Unguarded => seen.ceiling.is_some(),
        Standing::Unknown | Standing::Unmarked(_) => false,
    };
    let said = others().filter(remembers).filter_map(|seen| seen.ceiling).count();
    let unknown = others()
        .filter(|seen| seen.standing == Standing::Unknown || (remembers(seen) && seen.ceiling.is_none()))
        .count();
    if said < needed && said + unknown >= needed {
        return None;
    }
    own?;
    seen.iter().filter_map(|seen| seen.ceiling).max()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::{Incarnation, Marker};

    fn charter_of(fleet: u64) -> Charter {
        Charter::new(fleet, 0, 5, 3, Duration::from_secs(30))
    }

    fn marked(fleet: u64, floor: Option<u64>) -> Standing {
        Standing::Marked(Marker::new(Incarnation::new(1), charter_of(fleet), 0, floor))
    }

    fn seen(standing: Standing, ceiling: Option<u64>) -> Seen {
        Seen { standing, ceiling }
    }

    #[test]
    fn the_fleet_that_is_there_is_joined_and_the_least_of_those_that_begin() {
        let of = |standings: &[Standing]| {
            let seen: Vec<_> = standings.iter().map(|&standing| seen(standing, None)).collect();
            charter(charter_of(50), &seen).fleet
        };
        assert_eq!(of(&[Standing::Unmarked(None), Standing::Unknown]), 50);
        assert_eq!(of(&[marked(70, None), marked(60, None)]), 60);
        assert_eq!(of(&[marked(70, Some(1)), marked(60, None), marked(60, None)]), 70);
        assert_eq!(of(&[Standing::Unmarked(Some(charter_of(9))), Standing::Unknown]), 9);
        assert_eq!(of(&[marked(70, Some(1)), marked(80, Some(1)), marked(80, Some(1))]), 80);
    }

    #[test]
    fn a_node_of_other_clients_is_refused_and_one_in_quarantine_may_join_its_fleet() {
        let ours = charter_of(5);
        assert_eq!(step(Standing::Unmarked(None), ours), Step::Quarantine(ours));
        assert_eq!(step(marked(5, Some(1)), ours), Step::Rest);
        assert_eq!(step(marked(5, None), ours), Step::Wait);
        assert_eq!(step(marked(6, None), ours), Step::Join(ours));
        assert!(matches!(step(marked(6, Some(1)), ours), Step::Foreign(Misfit::Fleet { .. })));
        let shorter = Charter { max_ttl: Duration::from_secs(10), ..ours };
        for standing in [marked(5, None), marked(5, Some(1)), Standing::Unmarked(Some(ours))] {
            assert!(matches!(step(standing, shorter), Step::Foreign(Misfit::MaxTtl { .. })), "{standing:?}");
        }
        let smaller = Charter { nodes: 3, quorum: 2, ..ours };
        assert!(matches!(step(marked(5, Some(1)), smaller), Step::Foreign(Misfit::Size { .. })));
    }

    #[test]
    fn a_floor_needs_so_many_others_that_one_of_them_stores_every_token() {
        let quorum = Quorum::majority(5).unwrap();
        let lost = seen(marked(1, None), Some(5));
        let good = |ceiling| seen(marked(1, Some(0)), ceiling);
        let floor = |others: [Seen; 4]| {
            let [a, b, c, d] = others;
            super::floor(0, &[lost, a, b, c, d], quorum, true)
        };
        let unknown = seen(Standing::Unknown, None);
        assert_eq!(floor([good(Some(7)), good(Some(9)), good(Some(8)), unknown]), Some(9));
        assert_eq!(floor([good(Some(7)), good(Some(9)), unknown, unknown]), None);
        assert_eq!(floor([good(Some(7)), good(Some(9)), good(None), lost]), None);
        assert_eq!(floor([good(Some(7)), good(Some(9)), lost, lost]), Some(9), "no three are left that know");
        assert_eq!(floor([lost, lost, lost, lost]), Some(5));
        let single = Quorum::majority(1).unwrap();
        assert_eq!(super::floor(0, &[lost], single, true), Some(5));
        assert_eq!(super::floor(0, &[seen(marked(1, None), None)], single, true), None);
    }
}
