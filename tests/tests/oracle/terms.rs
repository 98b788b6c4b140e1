//! Leaders whose work goes on beyond their term.

use std::time::Duration;

use redlock_tests::history::{ClientEvent, ELECTION, RunEvent, Target};
use redlock_tests::oracle::Rule;

use super::forge::Forge;

/// A term from 10 on, valid until 1000, in which the client's work went on at these times.
fn worked(at: &[u64]) -> Forge {
    let mut forge = Forge::new(2);
    forge.acquires_name(ELECTION, 10, 0, 0, 1, 1000);
    forge.holds(700, 0, 0, 1000);
    at.iter().for_each(|&at| forge.client(at, 0, ClientEvent::Works { hold: 0 }));
    forge
}

fn followed_at(at: u64, forge: &mut Forge) {
    forge.acquires_name(ELECTION, at, 1, 0, 2, at + 1000);
}

#[test]
fn work_that_ends_with_its_term_is_good() {
    worked(&[]).assert_good();
    // One thread may run a little late.
    let mut forge = worked(&[1050, 1100]);
    followed_at(1001, &mut forge);
    forge.assert_good();
}

#[test]
fn work_beyond_the_validity_is_found() {
    assert_eq!(
        worked(&[990, 1101]).assert_breaks(Rule::WorkInTerm),
        "client 0 (token 1) worked for 101.0ms beyond the end of its term"
    );
}

#[test]
fn work_beside_the_next_leader_is_found_although_the_first_one_was_valid_for_longer() {
    let mut forge = worked(&[750, 800, 860]);
    followed_at(750, &mut forge);
    assert_eq!(
        forge.assert_breaks(Rule::WorkInTerm),
        "client 0 (token 1) worked for 110.0ms beside the next leader, client 1 (token 2)"
    );
}

#[test]
fn what_a_process_does_that_did_not_get_the_cpu_is_excused_and_what_follows_is_not() {
    for (at, is_good) in [(1501, true), (1602, false)] {
        let mut starved = worked(&[at]);
        followed_at(1200, &mut starved);
        starved.is_starved(900, 1500, 0);
        let mut stopped = worked(&[at]);
        let (kind, target) = ("client-pause".to_owned(), Target::Client(0));
        stopped.run(900, RunEvent::Fault { id: 0, kind, target, detail: String::new() });
        stopped.run(1500, RunEvent::Healed { id: 0 });
        for forge in [starved, stopped] {
            assert_eq!(forge.verdict().is_good(), is_good, "{at}: {:#?}", forge.verdict().violations);
        }
    }
}

#[test]
fn terms_that_overlap_and_epochs_that_fall_break_the_rules_for_locks() {
    let mut forge = worked(&[]);
    followed_at(600, &mut forge);
    forge.assert_breaks(Rule::MutualExclusion);
    let mut forge = worked(&[]);
    forge.releases(800, 0, 0);
    forge.acquires_name(ELECTION, 900, 1, 0, 1, 1900);
    forge.assert_breaks(Rule::TokenOrder);
}

#[test]
fn terms_are_counted_with_the_time_in_which_nobody_led() {
    let mut forge = worked(&[]);
    forge.releases(800, 0, 0);
    forge.acquires_name(ELECTION, 900, 1, 0, 2, 1900);
    forge.loses(1000, 1, 0, "Missing", 1900);
    let terms = forge.verdict().figures.terms.unwrap();
    assert_eq!((terms.count, terms.clients, terms.lost), (2, 2, 1));
    assert_eq!(terms.lasted.max, Duration::from_millis(690));
    assert_eq!(terms.between.max, Duration::from_millis(200));
    let mut forge = Forge::new(1);
    forge.acquires(10, 0, 0, 1, 1000);
    assert_eq!(forge.verdict().figures.terms, None);
}
