//! Each safeguard of `Protections`, switched off: what it prevents then happens, and with it on it does not.
//!
//! The library runs on virtual time, so that every run is the same. What a server enforces is shown once more on a
//! real Redis in `redis_node/mutants.rs`.

use std::collections::BTreeSet;

use redlock::Protections;
use redlock_tests::mutants::{ON_REAL_SERVERS, SCRIPTED};

#[test]
fn with_every_safeguard_on_nothing_bad_happens() {
    for (name, what, play) in SCRIPTED {
        assert!(!play(Protections::default()), "{name} is on, and yet: {what}");
    }
}

#[test]
fn each_safeguard_is_missed_when_it_is_off() {
    for (name, what, play) in SCRIPTED {
        let without = Protections::without(name).unwrap();
        assert!(play(without), "{name} is off, and what was made for it does not show it: {what}");
    }
}

#[test]
fn every_safeguard_has_a_course_of_things_that_shows_it() {
    let shown = SCRIPTED.iter().map(|(name, ..)| name).chain(ON_REAL_SERVERS);
    let shown: BTreeSet<&str> = shown.copied().collect();
    assert_eq!(shown, Protections::NAMES.iter().copied().collect());
}
