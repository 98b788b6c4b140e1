//! What every schedule keeps to, counted here once more, in the simplest way.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::subsequence;
use redlock_tests::fault::{FaultKind, Figures, Plan, Store, Strike, left_out, schedule};
use redlock_tests::fleet::Servers;
use redlock_tests::history::Target;
use redlock_tests::network::Protocol;

/// What a quarantine lasts, all in.
fn quarantine(plan: &Plan) -> Duration {
    plan.max_ttl + margin(plan)
}

fn margin(plan: &Plan) -> Duration {
    plan.max_ttl / 5 + Duration::from_millis(500) + 3 * plan.store.granularity
}

fn quorum(plan: &Plan) -> usize {
    plan.nodes / 2 + 1
}

fn is_about(strike: &Strike, kinds: &[FaultKind]) -> bool {
    kinds.contains(&strike.kind)
}

const FORGETTING: [FaultKind; 5] =
    [FaultKind::Kill, FaultKind::Amnesia, FaultKind::Power, FaultKind::Flush, FaultKind::Promote];
const CLOCKS: [FaultKind; 2] = [FaultKind::Clock, FaultKind::Slew];
const OF_NODES: [FaultKind; 8] = [
    FaultKind::Kill,
    FaultKind::Amnesia,
    FaultKind::Power,
    FaultKind::Pause,
    FaultKind::Flush,
    FaultKind::Promote,
    FaultKind::Clock,
    FaultKind::Slew,
];
const OF_WAYS: [FaultKind; 4] =
    [FaultKind::Partition, FaultKind::Delay, FaultKind::Reset, FaultKind::ReplyLost];
const OF_CLIENTS: [FaultKind; 2] = [FaultKind::ClientKill, FaultKind::ClientPause];

/// How many different targets have a span (both ends included) over some moment, at most.
fn most(spans: &[(usize, Duration, Duration)]) -> usize {
    let at = |moment| {
        let over = spans.iter().filter(|&&(_, from, to)| from <= moment && moment <= to);
        over.map(|&(one, ..)| one).collect::<BTreeSet<_>>().len()
    };
    // The most are at the beginning of one.
    spans.iter().map(|&(_, from, _)| at(from)).max().unwrap_or(0)
}

/// The nodes that do not vote because of a fault, and when.
fn away(plan: &Plan, strikes: &[Strike]) -> Vec<(usize, Duration, Duration)> {
    let spans = strikes.iter().filter_map(|strike| {
        let Target::Node(node) = strike.target else { return None };
        let after = match strike.kind {
            FaultKind::Reset => return None,
            _ if is_about(strike, &FORGETTING) && plan.store.servers == Servers::Nodes => quarantine(plan),
            _ if is_about(strike, &CLOCKS) => plan.max_ttl + quarantine(plan),
            _ if is_about(strike, &OF_NODES) && plan.store.servers == Servers::Members => {
                Duration::from_secs(2)
            }
            _ => Duration::ZERO,
        };
        Some((node, strike.after, strike.ends() + after))
    });
    spans.collect()
}

/// For how long a majority is away, between the run's beginning and its end.
fn dark(plan: &Plan, strikes: &[Strike]) -> Duration {
    let away = away(plan, strikes);
    let mut moments: Vec<_> =
        away.iter().flat_map(|&(_, from, to)| [from, to]).filter(|&moment| moment < plan.length).collect();
    moments.extend([Duration::ZERO, plan.length]);
    moments.sort_unstable();
    let is_dark = |from: Duration, to: Duration| {
        let over = away.iter().filter(|span| span.1 <= from && to <= span.2).map(|span| span.0);
        over.collect::<BTreeSet<_>>().len() > plan.nodes - quorum(plan)
    };
    moments.windows(2).filter(|pair| is_dark(pair[0], pair[1])).map(|pair| pair[1] - pair[0]).sum()
}

fn ways(plan: &Plan, target: Target) -> Vec<(usize, usize)> {
    match target {
        Target::Node(node) => (0..plan.clients).map(|client| (client, node)).collect(),
        Target::Client(client) => (0..plan.nodes).map(|node| (client, node)).collect(),
        Target::Way { client, node } => vec![(client, node)],
    }
}

/// Whether both have the same thing in their hands.
fn share(plan: &Plan, one: &Strike, other: &Strike) -> bool {
    let both = |kinds: &[FaultKind]| is_about(one, kinds) && is_about(other, kinds);
    if both(&OF_WAYS) {
        let taken = ways(plan, other.target);
        return ways(plan, one.target).iter().any(|way| taken.contains(way));
    }
    (both(&OF_NODES) || both(&OF_CLIENTS)) && one.target == other.target
}

fn stores() -> impl Strategy<Value = Store> {
    let granularity = Duration::from_secs(1);
    prop_oneof![
        Just(Store::REDIS),
        Just(Store { servers: Servers::Nodes, protocol: Protocol::Bytes, granularity }),
        Just(Store { servers: Servers::Members, protocol: Protocol::Bytes, granularity }),
    ]
}

fn plans() -> impl Strategy<Value = Plan> {
    let kinds = subsequence(FaultKind::ALL.to_vec(), 0..=FaultKind::ALL.len());
    let millis = |range| (range, 1..5_u32);
    (any::<u64>(), kinds, (1..9_usize, stores()), 1..5_usize, 0..90_u64, millis(500..4_000_u64)).prop_map(
        |(seed, kinds, (nodes, store), clients, seconds, (ttl, times))| Plan {
            seed,
            kinds,
            nodes,
            store,
            clients,
            length: Duration::from_secs(seconds),
            ttl: Duration::from_millis(ttl),
            max_ttl: Duration::from_millis(ttl) * times,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schedules_keep_to_what_the_library_promises_to_withstand(plan in plans()) {
        let strikes = schedule(&plan);
        let of = |kinds: &[FaultKind]| strikes.iter().filter(|strike| is_about(strike, kinds)).collect::<Vec<_>>();

        // Their kinds, their times and their targets are those of the plan.
        for (index, strike) in strikes.iter().enumerate() {
            prop_assert_eq!(strike.id, index as u64);
            prop_assert!(plan.kinds.contains(&strike.kind));
            prop_assert!(strike.ends() < plan.length, "{:?}", strike);
            let (is_node, is_client) = match strike.target {
                Target::Node(node) => (node < plan.nodes, true),
                Target::Client(client) => (true, client < plan.clients),
                Target::Way { client, node } => (node < plan.nodes, client < plan.clients),
            };
            prop_assert!(is_node && is_client, "{:?}", strike);
        }
        prop_assert!(strikes.is_sorted_by_key(|strike| strike.after));
        let is_understood = |strike: &Strike| plan.store.protocol == Protocol::Resp
            || !matches!(strike.figures, Figures::ReplyTo(Some(_)));
        prop_assert!(strikes.iter().all(is_understood));

        // No two have the same thing in their hands.
        for (index, one) in strikes.iter().enumerate() {
            for other in strikes[index + 1..].iter().take_while(|other| other.after <= one.ends()) {
                prop_assert!(!share(&plan, one, other), "{:?} {:?}", one, other);
            }
        }

        // Fewer than a quorum of clocks moves in any window: each of those ends where one of these spans is open.
        let moved: Vec<_> = of(&CLOCKS).iter().map(|strike| match strike.target {
            Target::Node(node) => (node, strike.after, strike.ends() + quarantine(&plan)),
            _ => unreachable!("a clock is a node's"),
        }).collect();
        prop_assert!(most(&moved) < quorum(&plan));

        // Some client is there.
        let cut_off: Vec<_> = of(&[FaultKind::ClientPause, FaultKind::Partition, FaultKind::Delay]).iter()
            .filter_map(|strike| match strike.target {
                Target::Client(client) => Some((client, strike.after, strike.ends())),
                _ => None,
            }).collect();
        prop_assert!(plan.clients == 1 || most(&cut_off) < plan.clients);

        // A majority is there, most of the time; the last span without one may not have a long one behind it.
        let longest = 4 * quarantine(&plan);
        let dark = dark(&plan, &strikes);
        prop_assert!(dark <= plan.length * 2 / 5 + longest, "{:?} of {:?}", dark, plan.length);

        // Where clocks are moved, the others know all tokens while a node has forgotten.
        if !moved.is_empty() && plan.store.servers == Servers::Nodes {
            let away = away(&plan, &strikes);
            for strike in of(&FORGETTING) {
                let to = strike.ends() + quarantine(&plan);
                let meanwhile: Vec<_> = away.iter().filter(|span| span.1 <= to && strike.after <= span.2)
                    .map(|&(node, from, end)| (node, from.max(strike.after), end.min(to))).collect();
                prop_assert!(most(&meanwhile) < quorum(&plan), "{:?}", strike);
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_schedule(plan in plans()) {
        prop_assert_eq!(schedule(&plan), schedule(&plan));
    }

    #[test]
    fn every_kind_strikes_where_there_is_room_for_it(mut plan in plans()) {
        let rounds = if plan.nodes < 3 { 150 } else { 40 };
        plan.length = (plan.max_ttl + 3 * plan.store.granularity) * rounds + Duration::from_secs(rounds.into());
        let strikes = schedule(&plan);
        let mut left_out = left_out(&plan, &strikes);
        // Of two clocks none may be moved while the other forgets; of one clock none may be moved.
        left_out.retain(|kind| plan.nodes > 1 || !CLOCKS.contains(kind));
        prop_assert_eq!(left_out, []);
    }
}

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        kinds: FaultKind::ALL.to_vec(),
        nodes: 5,
        store: Store::REDIS,
        clients: 4,
        length: Duration::from_secs(60),
        ttl: Duration::from_secs(2),
        max_ttl: Duration::from_secs(3),
    }
}

#[test]
fn a_minute_on_five_nodes_has_room_for_every_kind() {
    for seed in 0..20 {
        let strikes = schedule(&plan(seed));
        assert_eq!(left_out(&plan(seed), &strikes), [], "{seed}");
        assert!(strikes.len() >= 30, "{seed}: {}", strikes.len());
    }
}

#[test]
fn another_seed_makes_another_schedule() {
    assert_ne!(schedule(&plan(1)), schedule(&plan(2)));
}

#[test]
fn clients_stand_still_beyond_their_locks_validity_more_often_than_not() {
    let strikes: Vec<_> = (0..20).flat_map(|seed| schedule(&plan(seed))).collect();
    let pauses: Vec<_> = strikes
        .iter()
        .filter(|strike| strike.kind == FaultKind::ClientPause)
        .filter_map(|strike| strike.lasts)
        .collect();
    let long = pauses.iter().filter(|&&lasts| lasts > plan(0).ttl).count();
    assert!(long * 2 > pauses.len(), "{long} of {}", pauses.len());
    assert!(long < pauses.len(), "some are short");
}

#[test]
fn a_majority_is_taken_away_now_and_then() {
    let mut plan = plan(3);
    plan.length = Duration::from_secs(600);
    plan.kinds = vec![FaultKind::Kill, FaultKind::Pause];
    assert!(dark(&plan, &schedule(&plan)) > Duration::ZERO);
}

#[test]
fn a_run_without_a_length_has_no_faults() {
    assert_eq!(schedule(&Plan { length: Duration::ZERO, ..plan(1) }), []);
}
