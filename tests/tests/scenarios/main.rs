//! Every scenario ends well with all safeguards on, and badly without any of those that it is about.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;

use redlock::Protections;
use redlock::testing::servers::RedisServer;
use redlock_tests::fleet::{ActionKind, FleetError};
use redlock_tests::scenarios::{self, Finding, Outcome, Play, Scenario, SceneError};

fn scenario(name: &str) -> &'static Scenario {
    scenarios::named(name).unwrap_or_else(|| panic!("there is no scenario {name}"))
}

/// Whose workers are clients in processes of their own.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaos"))
}

/// How often a scenario is begun again on a machine that was too slow for it.
const TRIES: usize = 3;

/// On a fleet of this kind. None, and a word about it, without a Docker engine.
fn play(scenario: &Scenario, fleet: &str, protections: Protections) -> Option<Outcome> {
    let mut tries = 0;
    loop {
        tries += 1;
        match scenario.play(fleet, program(), protections) {
            Err(SceneError::Fleet(error @ FleetError::NoDocker { .. })) if !requires_docker() => {
                eprintln!("skipped, since {error}. REQUIRE_DOCKER=1 makes this a failure.");
                return None;
            }
            Err(SceneError::TooSlow(_)) if tries < TRIES => {}
            Ok(outcome) => {
                println!("{} ({fleet}): {:?} in {:.1?}", scenario.name, outcome.finding, outcome.took);
                return Some(outcome);
            }
            Err(error) => panic!("{}: {error}", scenario.name),
        }
    }
}

fn requires_docker() -> bool {
    std::env::var("REQUIRE_DOCKER").as_deref() == Ok("1")
}

#[track_caller]
fn ends_well(name: &str) {
    let outcome = play(scenario(name), "process", Protections::default()).unwrap();
    assert_eq!(outcome.finding, Finding::Good, "{name}");
}

#[track_caller]
fn ends_well_in_containers(name: &str) {
    let scenario = scenario(name);
    let possible = [ActionKind::Kill, ActionKind::Start, ActionKind::StartEmpty, ActionKind::Pause];
    let possible = [&possible[..], &[ActionKind::Resume, ActionKind::Flush]].concat();
    if !matches!(scenario.play, Play::OnFleet(_)) || !scenario.needs.iter().all(|one| possible.contains(one))
    {
        println!("{name}: cannot be done to containers");
        return;
    }
    if let Some(outcome) = play(scenario, "docker", Protections::default()) {
        assert_eq!(outcome.finding, Finding::Good, "{name}");
    }
}

/// On a machine that is too busy nobody may see in time what goes wrong.
#[track_caller]
fn is_missed(name: &str, switch: &str) {
    let is_seen = || {
        let outcome = play(scenario(name), "process", Protections::without(switch).unwrap());
        !outcome.unwrap().finding.is_good()
    };
    assert!((0..2 * TRIES).any(|_| is_seen()), "{switch} is off, and {name} does not show it");
}

/// A module for each scenario, with a test for it on each kind of fleet and one for each switch.
macro_rules! scenarios {
    ($($module:ident = $name:literal $([$($without:ident = $switch:literal),*])?;)*) => {
        $(mod $module {
            #[test]
            fn with_all_safeguards() {
                super::ends_well($name);
            }

            #[test]
            fn in_containers() {
                super::ends_well_in_containers($name);
            }

            $($(#[test]
            fn $without() {
                super::is_missed($name, $switch);
            })*)?
        })*

        const TESTED: &[(&str, &[&str])] = &[$(($name, &[$($($switch),*)?])),*];
    };
}

scenarios! {
    paused_client = "paused-client";
    amnesia = "amnesia" [without_quarantine = "quarantine"];
    flush = "flush" [without_marker_check = "marker_check", without_quarantine = "quarantine", without_quarantine_from_marker = "quarantine_from_marker"];
    power_loss = "power-loss" [without_quarantine = "quarantine"];
    promotion = "promotion" [without_quarantine = "quarantine"];
    rolling_restart = "rolling-restart" [without_restore = "restore"];
    replaced_node = "replaced-node" [without_node_set_epoch = "node_set_epoch"];
    removed_holders = "removed-holders" [without_node_set_wait = "node_set_wait"];
    removed_tokens = "removed-tokens" [without_node_set_floor = "node_set_floor"];
    clock_jump = "clock-jump" [without_clock_guard = "clock_guard"];
    clocks_jump_together = "clocks-jump-together" [without_own_clock = "own_clock"];
    fast_nodes = "fast-nodes" [without_drift_allowance = "drift_allowance"];
    late_replies = "late-replies" [without_validity_check = "validity_check"];
    late_extension = "late-extension" [without_extend_in_time = "extend_in_time"];
    delayed_request = "delayed-request" [without_stale_deadline = "stale_deadline"];
    late_release = "late-release" [without_release_owner_check = "release_owner_check"];
    earlier_round = "earlier-round" [without_fresh_owner = "fresh_owner"];
    lost_reply = "lost-reply" [without_release_unknown = "release_unknown"];
    overtaken = "overtaken" [without_release_unknown = "release_unknown"];
    dropped_acquire = "dropped-acquire" [without_adopt_stragglers = "adopt_stragglers"];
    deleted_and_taken = "deleted-and-taken" [without_extend_owner_check = "extend_owner_check", without_lost_on_majority = "lost_on_majority"];
    deleted_and_held_in_between = "deleted-and-held-in-between" [without_restore_new_only = "restore_new_only", without_lost_on_majority = "lost_on_majority"];
    token_of_a_minority = "token-of-a-minority" [without_fence_quorum = "fence_quorum"];
    forgotten_counters = "forgotten-counters" [without_fence_extend = "fence_extend"];
    forgotten_tokens = "forgotten-tokens" [without_fence_floor = "fence_floor"];
    handed_over = "handed-over" [without_handoff_hold = "handoff_hold", without_handoff_token = "handoff_token"];
    handed_over_late = "handed-over-late" [without_handoff_validity = "handoff_validity"];
    handed_over_for_ever = "handed-over-for-ever" [without_handoff_bound = "handoff_bound"];
    forgotten_span = "forgotten-span" [without_fence_top = "fence_top"];
    wrong_hint = "wrong-hint" [without_fence_clamp = "fence_clamp"];
    twice = "twice" [without_fence_once = "fence_once"];
    shortened = "shortened" [without_never_shorten = "never_shorten"];
    told_late = "told-late" [without_lost_ahead = "lost_ahead"];
    slow_node = "slow-node";
    black_hole = "black-hole";
    even_split = "even-split";
    majority_down = "majority-down";
    failed_extension = "failed-extension";
    evicting_nodes = "evicting-nodes" [without_preflight = "preflight"];
    two_addresses = "two-addresses";
    stale_sentinel = "stale-sentinel" [without_sentinel_majority = "sentinel_majority"];
    moved_slot = "moved-slot" [without_settle_everywhere = "settle_everywhere"];
    memcached_stopped = "memcached-stopped" [without_stale_deadline = "stale_deadline"];
    memcached_restarted = "memcached-restarted" [without_quarantine = "quarantine"];
    memcached_flushed = "memcached-flushed" [without_marker_check = "marker_check", without_quarantine = "quarantine"];
    memcached_clock_jump = "memcached-clock-jump";
    memcached_replaced_node = "memcached-replaced-node" [without_node_set_epoch = "node_set_epoch"];
    etcd_leader_killed = "etcd-leader-killed";
    etcd_leader_stopped = "etcd-leader-stopped";
    etcd_leader_returns = "etcd-leader-returns";
    etcd_cut_off = "etcd-cut-off";
    etcd_revoked = "etcd-revoked" [without_lost_on_majority = "lost_on_majority", without_restore_new_only = "restore_new_only"];
    zookeeper_leader_killed = "zookeeper-leader-killed";
    zookeeper_stopped = "zookeeper-stopped";
    zookeeper_cut_off = "zookeeper-cut-off";
    file_killed_holder = "file-killed-holder";
    file_stopped_holder = "file-stopped-holder";
    zookeeper_candidate_killed = "zookeeper-candidate-killed";
    leader_killed = "leader-killed" [without_takeover_delay = "takeover_delay"];
    leader_cut_off = "leader-cut-off" [without_stop_in_time = "stop_in_time"];
    leader_steps_down = "leader-steps-down" [without_await_work = "await_work"];
    leader_stopped = "leader-stopped";
    leader_kept = "leader-kept";
    phantom_win = "phantom-win" [without_campaign_recheck = "campaign_recheck"];
}

#[test]
fn every_scenario_and_every_switch_of_it_has_a_test() {
    for scenario in scenarios::SCENARIOS {
        let (_, switches) = TESTED
            .iter()
            .find(|(name, _)| *name == scenario.name)
            .unwrap_or_else(|| panic!("{} has no test", scenario.name));
        assert_eq!(*switches, scenario.kills, "{}", scenario.name);
        assert!(switches.iter().all(|switch| Protections::NAMES.contains(switch)), "{}", scenario.name);
    }
    assert_eq!(TESTED.len(), scenarios::SCENARIOS.len());
}

#[test]
fn every_safeguard_is_missed_by_a_scenario() {
    for switch in Protections::NAMES {
        let is_played = !scenarios::killed_by(switch).is_empty();
        assert!(is_played, "{switch}: is there a scenario that shows what it is for?");
    }
}

#[test]
fn names_are_unique_and_words_of_a_command_line() {
    let mut names: Vec<_> = scenarios::SCENARIOS.iter().map(|scenario| scenario.name).collect();
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), scenarios::SCENARIOS.len());
}

#[test]
fn servers_of_somebody_else_are_left_alone() {
    let server = RedisServer::start().unwrap();
    let refused = scenario("flush").play(&server.admin_url(), program(), Protections::default());
    let refused = refused.unwrap_err();
    assert!(matches!(refused, SceneError::Strangers), "{refused}");
    assert_eq!(server.keys().unwrap(), [""; 0]);
}
