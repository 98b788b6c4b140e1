//! The model of the protocol: nothing bad within the small bounds, and something bad without each safeguard.

use std::collections::BTreeSet;

use redlock::Protections;
use redlock_tests::model::{BOUNDS, Bound, Report, SWITCHES, UnknownSwitch, check};

fn has_no_violation(name: &str) {
    let bound = Bound::named(name).unwrap();
    let report = check(bound, None).unwrap();
    assert!(report.violated.is_none(), "{}", told(&report));
    assert_eq!(report.missed, [""; 0], "the model is vacuous within {name}");
    println!(
        "{name}: {} states, {} steps, depth {}, {:?}",
        report.states, report.steps, report.depth, report.elapsed
    );
}

fn told(report: &Report) -> String {
    let violated = report.violated.as_ref().unwrap();
    format!("{} is violated by\n{}", violated.property, violated.steps.join("\n"))
}

/// A test for each small bound, so that they run side by side.
macro_rules! small_bounds {
    ($($name:ident)+) => {
        const SMALL: &[&str] = &[$(stringify!($name)),+];
        mod within {
            $(#[test] fn $name() { super::has_no_violation(stringify!($name)); })+
        }
    };
}

small_bounds! { contention expiry handoff renewal memory counters sets }

/// A test for each safeguard.
macro_rules! switches {
    ($($name:ident)+) => {
        const SWITCHED: &[&str] = &[$(stringify!($name)),+];
        mod without {
            $(#[test] fn $name() { super::is_missed(stringify!($name)); })+
        }
    };
}

switches! {
    validity_check drift_allowance release_owner_check fence_quorum fresh_owner stale_deadline extend_owner_check never_shorten
    extend_in_time marker_check quarantine quarantine_from_marker restore fence_floor fence_extend handoff_token
    fence_top node_set_epoch node_set_wait node_set_floor
}

fn is_missed(name: &str) {
    let switch = SWITCHES.iter().find(|switch| switch.name == name).unwrap();
    let report = check(Bound::named(switch.bound).unwrap(), Some(name)).unwrap();
    println!("{name}: {} states, {} steps, {:?}", report.states, report.steps, report.elapsed);
    if report.violated.is_some() {
        println!("{}", told(&report));
    }
    assert!(switch.harm.is_shown_by(&report), "{name} is off, and within {} nothing shows it", switch.bound);
}

#[test]
fn every_small_bound_and_every_safeguard_of_the_model_has_its_test() {
    let small: Vec<&str> = BOUNDS.iter().filter(|bound| bound.small).map(|bound| bound.name).collect();
    assert_eq!(small, SMALL);
    let names: Vec<&str> = SWITCHES.iter().map(|switch| switch.name).collect();
    assert_eq!(names, SWITCHED);
    let known: BTreeSet<&str> = Protections::NAMES.iter().copied().collect();
    assert!(names.iter().all(|name| known.contains(name)));
    assert!(SWITCHES.iter().all(|switch| Bound::named(switch.bound).is_some()));
}

#[test]
fn a_safeguard_that_the_model_lacks_is_an_error_that_names_those_it_has() {
    let error: UnknownSwitch = check(BOUNDS[0], Some("preflight")).unwrap_err();
    assert!(error.to_string().contains("fence_quorum"), "{error}");
}

#[test]
fn the_same_check_counts_the_same_states() {
    let counted =
        || check(Bound::named("handoff").unwrap(), None).map(|report| (report.states, report.steps));
    assert_eq!(counted(), counted());
}

#[test]
fn a_counterexample_says_who_did_what_and_when() {
    let report = check(Bound::named("expiry").unwrap(), Some("drift_allowance")).unwrap();
    let steps = report.violated.unwrap().steps;
    assert_eq!(steps.first().unwrap().trim(), "t0  A asks every node");
    assert!(steps.last().unwrap().contains("holds the lock until"), "{steps:?}");
}
