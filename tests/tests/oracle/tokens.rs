//! Fencing tokens that do not rise, and updates that are lost.

use redlock_tests::history::{ClientEvent, Write};
use redlock_tests::oracle::Rule;

use super::forge::Forge;

/// Holds one after the other, with these tokens.
fn holds_with(tokens: &[u64]) -> Forge {
    let mut forge = Forge::new(2);
    for (index, token) in (0..).zip(tokens) {
        let (at, client) = (10 * index, usize::from(index % 2 == 1));
        forge.acquires(at, client, index, *token, at + 100);
        forge.releases(at + 5, client, index);
    }
    forge
}

#[test]
fn tokens_that_rise_are_good() {
    holds_with(&[1, 2, 70, 71]).assert_good();
}

#[test]
fn a_token_that_falls_is_found() {
    let detail = holds_with(&[1, 7, 3, 8]).assert_breaks(Rule::TokenOrder);
    assert_eq!(detail, "a was held by client 0 (token 3) after client 1 (token 7)");
}

#[test]
fn a_token_that_comes_twice_is_found() {
    holds_with(&[1, 2, 2]).assert_breaks(Rule::TokenOrder);
}

#[test]
fn every_token_below_the_highest_is_found() {
    assert_eq!(holds_with(&[9, 2, 3]).verdict().violations.len(), 2);
}

#[test]
fn tokens_of_other_names_and_holds_without_one_do_not_count() {
    let mut forge = holds_with(&[5]);
    forge.acquires_name("b", 20, 1, 90, 1, 120);
    forge.wants(30, 0, 91);
    forge.client(30, 0, ClientEvent::Acquired { hold: 91, token: None, valid_until: 130_000_000 });
    forge.assert_good();
}

/// Three updates: done in both sets, refused by the fenced one, and not tried.
fn updates() -> Forge {
    let mut forge = holds_with(&[1]);
    forge.acquires(20, 0, 10, 2, 120);
    forge.adds(25, 0, 10, "one", Write::Done, Write::Done);
    forge.adds(26, 0, 10, "two", Write::Refused, Write::Done);
    forge.adds(27, 0, 10, "three", Write::NotTried, Write::NotTried);
    forge.releases(30, 0, 10);
    forge
}

#[test]
fn an_update_that_the_fenced_set_accepted_and_lost_is_found() {
    let mut forge = updates();
    forge.sets(100, &[], &["one", "two"]);
    let detail = forge.assert_breaks(Rule::FencedUpdates);
    assert_eq!(detail, "the update one of client 0 under token 2 of a was accepted, and is lost");
}

#[test]
fn what_the_unfenced_set_loses_is_no_violation_but_counted() {
    let mut forge = updates();
    // `four` was written by a client that was killed before it could say so.
    forge.sets(100, &["one", "four"], &["one"]);
    forge.assert_good();
    let figures = forge.verdict().figures;
    let of = |updates: redlock_tests::oracle::Updates| (updates.done, updates.refused, updates.lost);
    assert_eq!(of(figures.fenced), (1, 1, 0));
    assert_eq!(of(figures.unfenced), (2, 0, 1));
}

#[test]
fn updates_after_the_sets_were_read_and_before_it_is_known_are_not_missed() {
    let mut forge = updates();
    forge.assert_good();
    forge.sets(24, &[], &[]);
    forge.assert_good();
}
