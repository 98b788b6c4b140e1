//! What is to be done about a node's memory (design, section 4, "Restart guard").
//!
//! A node that has lost its memory would grant what somebody still holds. It is kept in quarantine until everything that it may
//! have forgotten has ended, and then takes a floor for its fencing counters from nodes that have forgotten nothing.

use crate::id::{Charter, Stage, Standing};

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
    /// It is in quarantine, which ends by its own clock; or nothing may be done about it now.
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
    #[error(
        "it belongs to node set {theirs}, and this client is configured with node set {ours}, which has been replaced; \
         restart it with the list of nodes of set {theirs} and nodeSet = {theirs}"
    )]
    Replaced { theirs: u64, ours: u64 },
    #[error(
        "it belongs to node set {theirs} still, and this client is configured with node set {ours}; \
         `redlock nodes` makes the change on the nodes, and again on one that was away then"
    )]
    Behind { theirs: u64, ours: u64 },
}

/// What this client and its nodes agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// This client's charter, in the fleet that is there already, if there is one.
    pub(crate) ours: Charter,
    /// What new markers say; `None`: none is made, since the nodes have another set than this client.
    pub(crate) marks: Option<Charter>,
}

/// What is agreed on by a client that wants the charter `wanted`.
///
/// Nodes that have been admitted decide; otherwise clients that begin at the same moment agree on the least fleet. A node in
/// quarantine has time enough to join. While the set changes, the furthest stage that this client may work at counts.
pub(crate) fn agree(wanted: Charter, seen: &[Seen], has_epochs: bool) -> Agreed {
    let mut admitted: Vec<Charter> = Vec::new();
    let mut others: Vec<Charter> = Vec::new();
    for seen in seen {
        match seen.standing {
            Standing::Marked(marker) if marker.floor.is_some() => admitted.push(marker.charter),
            Standing::Marked(marker) => others.push(marker.charter),
            Standing::Unmarked(Some(earlier)) => others.push(earlier),
            Standing::Unmarked(None) | Standing::Unguarded | Standing::Unknown => {}
        }
    }
    let fleet = most_frequent(&admitted).or_else(|| others.iter().map(|charter| charter.fleet).min());
    let Some(fleet) = fleet else { return Agreed { ours: wanted, marks: Some(wanted) } };
    let ours = Charter { fleet, ..wanted };
    let known = || admitted.iter().chain(&others).filter(|charter| charter.fleet == fleet);
    let misfits = || known().filter_map(|charter| misfit(charter, &ours, has_epochs));
    let fitting = known().filter(|charter| misfit(charter, &ours, has_epochs).is_none());
    let furthest = fitting.max_by_key(|charter| (charter.epoch, charter.stage != Stage::Settled));
    let marks = match furthest {
        _ if misfits().any(|misfit| matches!(misfit, Misfit::Replaced { .. })) => None,
        Some(charter) => Some(*charter),
        None if misfits().any(|misfit| matches!(misfit, Misfit::Behind { .. })) => None,
        None => Some(ours),
    };
    Agreed { ours, marks }
}

/// The fleet that most nodes are in; of several the least.
fn most_frequent(known: &[Charter]) -> Option<u64> {
    let count = |one| known.iter().filter(|other| other.fleet == one).count();
    known.iter().map(|charter| charter.fleet).max_by_key(|&one| (count(one), std::cmp::Reverse(one)))
}

/// What to do about a node. `has_epochs`: whether the numbers of node sets count.
pub(crate) fn step(standing: Standing, agreed: Agreed, has_epochs: bool) -> Step {
    let Agreed { ours, marks } = agreed;
    match standing {
        Standing::Unguarded | Standing::Unknown => Step::Rest,
        // What was agreed on before outlives the memory: a client with other settings must not begin anew.
        Standing::Unmarked(earlier) => {
            match earlier.and_then(|earlier| misfit(&earlier, &ours, has_epochs)) {
                Some(Misfit::Fleet { .. }) | None => marks.map_or(Step::Wait, Step::Quarantine),
                Some(misfit) => Step::Foreign(misfit),
            }
        }
        Standing::Marked(marker) => match (misfit(&marker.charter, &ours, has_epochs), marker.floor) {
            (Some(Misfit::Fleet { .. }), None) => marks.map_or(Step::Wait, Step::Join),
            (Some(misfit), _) => Step::Foreign(misfit),
            (None, None) => Step::Wait,
            (None, Some(_)) => Step::Rest,
        },
    }
}

fn misfit(theirs: &Charter, ours: &Charter, has_epochs: bool) -> Option<Misfit> {
    let fleets = (theirs.fleet, ours.fleet);
    let other_fleet = (fleets.0 != fleets.1).then_some(Misfit::Fleet { theirs: fleets.0, ours: fleets.1 });
    unfit(theirs, ours, has_epochs).or(other_fleet)
}

/// Why what a node gives under the charter `theirs` does not count for a client with `ours`, whatever their fleets.
///
/// A client works under the charter of its own set, and, while that is open to it, under that of the next one: majorities of
/// sets that differ by one node intersect.
pub(crate) fn unfit(theirs: &Charter, ours: &Charter, has_epochs: bool) -> Option<Misfit> {
    if theirs.max_ttl != ours.max_ttl {
        return Some(Misfit::MaxTtl { theirs: theirs.max_ttl, ours: ours.max_ttl });
    }
    let (number, own) = (theirs.epoch, ours.epoch);
    let (nodes, quorum) = match theirs.stage {
        Stage::Open { nodes, quorum } if number == own.saturating_add(1) => (nodes, quorum),
        _ if number == own || !has_epochs => (theirs.nodes, theirs.quorum),
        _ if number > own => return Some(Misfit::Replaced { theirs: number, ours: own }),
        _ => return Some(Misfit::Behind { theirs: number, ours: own }),
    };
    ((nodes, quorum) != (ours.nodes, ours.quorum)).then_some(Misfit::Size {
        theirs: nodes,
        their_quorum: quorum,
        ours: ours.nodes,
        our_quorum: ours.quorum,
    })
}

/// Where the fencing counters of `node` begin when its quarantine ends; `None`: too few others have said how far theirs have
/// come.
///
/// A token that counts is stored by a quorum. Of N - quorum + 1 other nodes that have forgotten nothing, one stores it. Where there
/// are not that many left, since a majority has lost its memory, counters begin above all that is known; their order then
/// rests on the nodes' clocks. While the set changes it takes as many as meet every quorum of both sets.
pub(crate) fn floor(
    node: usize,
    seen: &[Seen],
    quorum: Quorum,
    agreed: Agreed,
    from_others: bool,
) -> Option<u64> {
    let own = seen.get(node).and_then(|seen| seen.ceiling);
    if !from_others {
        return own;
    }
    let other_set = agreed.marks.filter(|charter| charter.stage != Stage::Settled);
    let beside = other_set.map_or(0, |charter| needed_beside(&agreed.ours, &charter));
    let needed = quorum.blocking().max(beside);
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
    // The node that this client does not have may be the one that knows: a client of the other set asks it, or the set is settled
    // first, with what all of them know.
    let may_be_known = other_set.is_some() || said + unknown >= needed;
    if said < needed && may_be_known {
        return None;
    }
    own?;
    seen.iter().filter_map(|seen| seen.ceiling).max()
}

/// How many others of its own set a client asks, so that one stores each token of the other set in a change.
fn needed_beside(ours: &Charter, furthest: &Charter) -> usize {
    let (nodes, quorum) = match furthest.stage {
        _ if furthest.epoch != ours.epoch => (furthest.nodes, furthest.quorum),
        Stage::Open { nodes, quorum } => (nodes, quorum),
        // Which of the two it was does not show any more: the one that asks for more.
        Stage::Closed | Stage::Settled => {
            (ours.nodes.saturating_add(1), ours.nodes.saturating_add(1) / 2 + 1)
        }
    };
    // The node that is in the other set alone may be one of those that store it.
    let elsewhere = u32::from(nodes > ours.nodes);
    let needed = ours.nodes.saturating_add(1 + elsewhere).saturating_sub(quorum);
    usize::try_from(needed).unwrap_or(usize::MAX)
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

    fn agree(wanted: Charter, standings: &[Standing]) -> Agreed {
        let seen: Vec<_> = standings.iter().map(|&standing| seen(standing, None)).collect();
        super::agree(wanted, &seen, true)
    }

    fn step(standing: Standing, ours: Charter) -> Step {
        super::step(standing, Agreed { ours, marks: Some(ours) }, true)
    }

    #[test]
    fn the_fleet_that_is_there_is_joined_and_the_least_of_those_that_begin() {
        let of = |standings: &[Standing]| {
            let Agreed { ours, marks } = agree(charter_of(50), standings);
            assert_eq!(marks, Some(ours));
            ours.fleet
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

    /// Set 4 has five nodes, set 5 four of them.
    const OPEN: Stage = Stage::Open { nodes: 5, quorum: 3 };

    fn set(number: u64, nodes: u32) -> Charter {
        Charter::new(1, number, nodes, nodes / 2 + 1, Duration::from_secs(30))
    }

    fn is_at(charter: Charter) -> Standing {
        Standing::Marked(Marker::new(Incarnation::new(1), charter, 0, Some(0)))
    }

    #[test]
    fn a_client_works_with_its_own_set_and_with_the_next_one_while_that_is_open_to_it() {
        let (old, new) = (set(4, 5), set(5, 4));
        for (theirs, ours, fits) in [
            (old, old, true),
            (old.at(Stage::Closed), old, true),
            (new.at(OPEN), old, true),
            (new.at(OPEN), new, true),
            (new.at(Stage::Closed), new, true),
            (new, new, true),
            (new.at(Stage::Closed), old, false),
            (new, old, false),
            (old, new, false),
            (set(6, 5).at(Stage::Open { nodes: 4, quorum: 3 }), old, false),
            // A client that leaves nodes out.
            (new.at(OPEN), set(4, 3), false),
        ] {
            assert_eq!(unfit(&theirs, &ours, true).is_none(), fits, "{theirs:?} for {ours:?}");
        }
    }

    #[test]
    fn new_markers_are_at_the_furthest_stage_and_none_is_made_by_a_client_of_another_set() {
        let (old, new) = (set(4, 5), set(5, 4));
        let marks = |wanted, theirs: &[Charter]| {
            let standings: Vec<_> = theirs.iter().map(|&theirs| is_at(theirs)).collect();
            agree(wanted, &standings).marks
        };
        assert_eq!(marks(old, &[old, old, new.at(OPEN)]), Some(new.at(OPEN)));
        assert_eq!(marks(old, &[old, old, new.at(Stage::Closed)]), None, "it is being shut out");
        assert_eq!(marks(new, &[old, old, old]), None, "the change has not begun");
        assert_eq!(marks(new, &[old, old, new.at(OPEN)]), Some(new.at(OPEN)));
        assert_eq!(marks(new, &[old, new.at(Stage::Closed), new]), Some(new.at(Stage::Closed)));
        let agreed = agree(old, &[is_at(new), is_at(new), Standing::Unmarked(None)]);
        assert_eq!(super::step(Standing::Unmarked(None), agreed, true), Step::Wait);
    }

    fn settled(nodes: u32) -> Agreed {
        Agreed { ours: set(4, nodes), marks: Some(set(4, nodes)) }
    }

    #[test]
    fn while_the_set_changes_so_many_others_are_asked_that_every_quorum_of_both_sets_is_met() {
        for (before, after) in (2..9_u32).flat_map(|nodes| [(nodes, nodes + 1), (nodes + 1, nodes)]) {
            let open = Stage::Open { nodes: before, quorum: before / 2 + 1 };
            for (ours, other) in [(set(5, after), before), (set(4, before), after)] {
                let needed = needed_beside(&ours, &set(5, after).at(open)) as u32;
                // The tokens of the other set that the node itself stored, and the node that is in that set alone.
                let elsewhere = u32::from(other > ours.nodes);
                let store_it = (other / 2 + 1) - 1 - elsewhere;
                let others = ours.nodes - 1;
                assert!(needed + store_it > others, "{ours:?} beside {other} nodes");
                assert!(needed + store_it == others + 1, "no more than it takes");
            }
        }
    }

    #[test]
    fn a_floor_needs_so_many_others_that_one_of_them_stores_every_token() {
        let quorum = Quorum::majority(5).unwrap();
        let lost = seen(marked(1, None), Some(5));
        let good = |ceiling| seen(marked(1, Some(0)), ceiling);
        let floor = |others: [Seen; 4]| {
            let [a, b, c, d] = others;
            super::floor(0, &[lost, a, b, c, d], quorum, settled(5), true)
        };
        let unknown = seen(Standing::Unknown, None);
        assert_eq!(floor([good(Some(7)), good(Some(9)), good(Some(8)), unknown]), Some(9));
        assert_eq!(floor([good(Some(7)), good(Some(9)), unknown, unknown]), None);
        assert_eq!(floor([good(Some(7)), good(Some(9)), good(None), lost]), None);
        assert_eq!(floor([good(Some(7)), good(Some(9)), lost, lost]), Some(9), "no three are left that know");
        assert_eq!(floor([lost, lost, lost, lost]), Some(5));
        let single = Quorum::majority(1).unwrap();
        assert_eq!(super::floor(0, &[lost], single, settled(1), true), Some(5));
        assert_eq!(super::floor(0, &[seen(marked(1, None), None)], single, settled(1), true), None);
    }
}
