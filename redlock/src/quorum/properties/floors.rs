//! Where the counters of a node begin that has forgotten them.

use proptest::prelude::*;

use super::quorum;
use crate::id::{Charter, Incarnation, Marker, Standing};
use crate::quorum::Quorum;
use crate::quorum::restart::{Agreed, Seen, floor};

const TOKEN: u64 = 1_000;

/// What has become of a node since a quorum stored the token.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It remembers, and says how far its counters have come.
    Says,
    /// It remembers, and has not answered.
    Silent,
    /// It cannot be reached; it remembers or not.
    Away { remembers: bool },
    /// It is in quarantine.
    Forgot,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Says),
        1 => Just(Fate::Silent),
        1 => any::<bool>().prop_map(|remembers| Fate::Away { remembers }),
        2 => Just(Fate::Forgot),
    ]
}

fn seen(fate: Fate, ceiling: u64) -> Seen {
    let marked = |floor| {
        let charter = Charter::new(1, 0, 5, 3, std::time::Duration::from_secs(1));
        Standing::Marked(Marker::new(Incarnation::new(1), charter, 0, floor))
    };
    let (standing, ceiling) = match fate {
        Fate::Says => (marked(Some(0)), Some(ceiling)),
        Fate::Silent => (marked(Some(0)), None),
        Fate::Away { .. } => (Standing::Unknown, None),
        Fate::Forgot => (marked(None), Some(ceiling)),
    };
    Seen { standing, ceiling }
}

fn remembers(fate: Fate) -> bool {
    matches!(fate, Fate::Says | Fate::Silent | Fate::Away { remembers: true })
}

/// A quorum, what became of each node but the first, which forgot, and how far those had come that did not store the token.
fn situation() -> impl Strategy<Value = (Quorum, Vec<Fate>, Vec<u64>, Vec<usize>)> {
    quorum().prop_flat_map(|quorum| {
        let nodes = quorum.nodes();
        (
            Just(quorum),
            prop::collection::vec(fate(), nodes),
            prop::collection::vec(0..TOKEN, nodes),
            Just((0..nodes).collect::<Vec<_>>()).prop_shuffle(),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_floor_is_above_every_token_that_a_quorum_stored_while_enough_nodes_remember(
        (quorum, mut fates, lows, order) in situation(),
    ) {
        fates[0] = Fate::Forgot;
        let stored = &order[..quorum.size()];
        let ceiling = |node: usize| if stored.contains(&node) && remembers(fates[node]) { TOKEN } else { lows[node] };
        let nodes: Vec<Seen> = (0..quorum.nodes()).map(|node| seen(fates[node], ceiling(node))).collect();
        let needed = quorum.nodes() - quorum.size() + 1;
        let remember = (1..quorum.nodes()).filter(|&node| remembers(fates[node])).count();
        let ours = Charter::new(1, 0, 5, 3, std::time::Duration::from_secs(1));
        let floor = floor(0, &nodes, quorum, Agreed { ours, marks: Some(ours) }, true);
        if remember >= needed {
            prop_assert!(floor.is_none_or(|floor| floor >= TOKEN), "{floor:?}");
        }
        let says = (1..quorum.nodes()).filter(|&node| matches!(fates[node], Fate::Says)).count();
        let may = (1..quorum.nodes()).filter(|&node| !matches!(fates[node], Fate::Forgot)).count();
        // It waits only for what may yet be said.
        prop_assert_eq!(floor.is_some(), says >= needed || may < needed);
    }
}
