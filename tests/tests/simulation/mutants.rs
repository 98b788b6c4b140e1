//! Each safeguard, switched off: the simulation finds what it is for, without being told where to look but for the plan.

use redlock::Protections;
use redlock_tests::simulation::first_violation_in;

/// Each safeguard, and the plan in which so many runs show that it is off.
const MISSED: &[(&str, &str, u64)] = &[
    ("validity_check", "memories", 1_000),
    ("drift_allowance", "rates", 10),
    ("fresh_owner", "leftovers", 20),
    ("stale_deadline", "leftovers", 20),
    ("release_owner_check", "network", 10),
    ("extend_owner_check", "deletions", 10),
    ("never_shorten", "clocks", 40),
    ("release_unknown", "leftovers", 20),
    ("adopt_stragglers", "leftovers", 20),
    ("extend_in_time", "network", 40),
    ("lost_on_majority", "deletions", 10),
    ("lost_ahead", "rates", 10),
    ("fence_quorum", "leftovers", 60),
    ("fence_clamp", "clocks", 100),
    ("fence_extend", "erosion", 100),
    ("fence_once", "leftovers", 100),
    ("marker_check", "memories", 100),
    ("quarantine", "memories", 100),
    ("quarantine_from_marker", "memories", 100),
    ("fence_floor", "setback", 100),
    ("restore", "erosion", 100),
    ("restore_new_only", "deletions", 100),
    ("clock_guard", "clocks", 100),
    ("own_clock", "clocks", 100),
    ("handoff_hold", "lines", 10),
    ("handoff_validity", "lines", 40),
    ("handoff_token", "lines", 10),
    ("handoff_bound", "lines", 20),
    ("fence_top", "heirlooms", 100),
    ("campaign_recheck", "elections", 40),
    ("await_work", "elections", 20),
    ("stop_in_time", "elections", 20),
    ("takeover_delay", "elections", 20),
    ("node_set_epoch", "swaps", 100),
    ("node_set_wait", "swaps", 100),
    ("node_set_floor", "swaps", 100),
];

/// What nodes in memory have nothing to do with: shown on real servers, or in the `mutants` test.
const ELSEWHERE: &[&str] = &["settle_everywhere", "sentinel_majority", "preflight"];

#[test]
fn without_a_safeguard_the_simulation_finds_what_it_is_for() {
    let mut survived = Vec::new();
    for (safeguard, plan, limit) in MISSED {
        let protections = Protections::without(safeguard).unwrap();
        match first_violation_in(plan, protections, *limit) {
            Some((seed, what)) => println!("{safeguard}: {plan}, seed {seed}: {what}"),
            None => {
                survived.push(format!("{safeguard} is off and nothing happens in {limit} runs of {plan}"))
            }
        }
    }
    assert!(survived.is_empty(), "{survived:#?}");
}

#[test]
fn every_safeguard_is_in_the_table_or_elsewhere() {
    for name in Protections::NAMES {
        let listed = MISSED.iter().any(|(safeguard, ..)| safeguard == name);
        assert!(listed != ELSEWHERE.contains(name), "{name}");
    }
}
