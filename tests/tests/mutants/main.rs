//! Each safeguard of `Protections`, switched off: what it prevents then happens, and with it on it does not.
//!
//! The library runs on virtual time, so that every run is the same. What a server enforces is shown once more on a
//! real Redis in `redis_node/mutants.rs`.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod acquiring;
mod building;
mod fencing;
mod holding;
mod releasing;
mod world;

use std::collections::BTreeSet;

use redlock::Protections;

/// Plays a scenario; says whether what must not happen happened.
type Scenario = fn(Protections) -> bool;

/// Each safeguard, what happens without it, and the scenario that shows it.
const SCENARIOS: &[(&str, &str, Scenario)] = &[
    (
        "validity_check",
        "a client that slept is handed a lock that somebody else holds",
        acquiring::handed_out_after_its_validity,
    ),
    (
        "drift_allowance",
        "a client with a slow clock believes in its lock when it has expired",
        holding::believed_by_a_slow_clock,
    ),
    (
        "fresh_owner",
        "the late release of a failed round takes the lock from the round after it",
        acquiring::released_by_an_earlier_round,
    ),
    ("stale_deadline", "the late request of a dead client takes the lock", acquiring::taken_by_a_ghost),
    (
        "release_owner_check",
        "the late release of one holder takes the lock from the next",
        releasing::released_by_another_owner,
    ),
    (
        "extend_owner_check",
        "a holder that has lost the lock prolongs it for ever",
        holding::prolonged_by_another_owner,
    ),
    ("never_shorten", "an extension ends a lock before its time", holding::shortened),
    (
        "release_unknown",
        "a request that was overtaken by its release leaves a lock behind",
        releasing::left_by_a_request_that_was_overtaken,
    ),
    ("adopt_stragglers", "a dropped acquire leaves a lock behind", releasing::left_by_a_dropped_acquire),
    ("extend_in_time", "a lock whose validity had ended is believed again", holding::revived),
    (
        "lost_on_majority",
        "a holder believes in its lock although a majority has told it otherwise",
        holding::believed_against_the_majority,
    ),
    (
        "lost_ahead",
        "a holder is told of its loss only when its validity has ended",
        holding::told_when_it_was_over,
    ),
    (
        "fence_quorum",
        "a later holder that meets other nodes has no greater fencing token",
        fencing::token_of_a_minority,
    ),
    (
        "fence_clamp",
        "one client with a wrong hint pushes the tokens an hour ahead of the time",
        fencing::token_far_ahead_of_the_nodes_time,
    ),
    (
        "fence_extend",
        "nodes that lose their counters while a lock is held give the next holder a lower token",
        fencing::token_forgotten_by_one_node_after_the_other,
    ),
    ("fence_once", "a request that arrives twice counts twice", fencing::counted_twice),
    (
        "preflight",
        "a lock that its node has evicted is handed out again",
        building::handed_out_by_a_node_that_evicts,
    ),
];

/// Safeguards that the virtual world has nothing for: shown on real servers, in `topology/mutants.rs`.
const ON_REAL_SERVERS: &[&str] = &["settle_everywhere", "sentinel_majority"];

#[test]
fn with_every_safeguard_on_nothing_bad_happens() {
    for (name, what, scenario) in SCENARIOS {
        assert!(!scenario(Protections::default()), "{name} is on, and yet: {what}");
    }
}

#[test]
fn each_safeguard_is_missed_when_it_is_off() {
    for (name, what, scenario) in SCENARIOS {
        let without = Protections::without(name).unwrap();
        assert!(scenario(without), "{name} is off, and its scenario does not show it: {what}");
    }
}

#[test]
fn every_safeguard_has_a_scenario() {
    let shown = SCENARIOS.iter().map(|(name, ..)| name).chain(ON_REAL_SERVERS);
    let shown: BTreeSet<&str> = shown.copied().collect();
    assert_eq!(shown, Protections::NAMES.iter().copied().collect());
}
