//! Every scenario ends well with all safeguards on, and badly without any of those that it is about.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use redlock::Protections;
use redlock_tests::scenarios::{self, Finding, Scenario};

fn scenario(name: &str) -> &'static Scenario {
    scenarios::named(name).unwrap_or_else(|| panic!("there is no scenario {name}"))
}

#[track_caller]
fn ends_well(name: &str) {
    let outcome = scenario(name).play(Protections::default()).unwrap();
    println!("{name}: {:.1?}", outcome.took);
    assert_eq!(outcome.finding, Finding::Good, "{name}");
}

#[track_caller]
fn is_missed(name: &str, switch: &str) {
    assert!(scenario(name).kills.contains(&switch), "{name} says nothing of {switch}");
    let outcome = scenario(name).play(Protections::without(switch).unwrap()).unwrap();
    println!("{name} without {switch}: {:.1?} {:?}", outcome.took, outcome.finding);
    assert!(!outcome.finding.is_good(), "{switch} is off, and {name} does not show it");
}

/// A module for each scenario, with a test for it and one for each switch.
macro_rules! scenarios {
    ($($module:ident = $name:literal $([$($without:ident = $switch:literal),*])?;)*) => {
        $(mod $module {
            #[test]
            fn with_all_safeguards() {
                super::ends_well($name);
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
    amnesia = "amnesia" [without_quarantine = "quarantine"];
    flush = "flush" [
        without_marker_check = "marker_check",
        without_quarantine = "quarantine",
        without_quarantine_from_marker = "quarantine_from_marker"
    ];
    rolling_restart = "rolling-restart" [without_restore = "restore"];
    clock_jump = "clock-jump" [without_clock_guard = "clock_guard"];
    deleted_and_taken = "deleted-and-taken" [
        without_extend_owner_check = "extend_owner_check",
        without_lost_on_majority = "lost_on_majority"
    ];
    deleted_and_held_in_between = "deleted-and-held-in-between" [
        without_restore_new_only = "restore_new_only",
        without_lost_on_majority = "lost_on_majority"
    ];
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
