//! Histories that make no sense.

use redlock_tests::history::{ClientEvent, RunEvent, Target, Write};
use redlock_tests::oracle::Rule;

use super::forge::Forge;

/// Something that breaks the form of a history of two clients, the first of which holds `a` until 30.
fn assert_is_wrong(what: &str, change: impl FnOnce(&mut Forge)) {
    let mut forge = Forge::new(2);
    forge.acquires(10, 0, 0, 1, 110);
    forge.holds(20, 0, 0, 110);
    forge.assert_good();
    change(&mut forge);
    let detail = forge.assert_breaks(Rule::WellFormed);
    assert!(detail.contains(what), "{detail}");
}

#[test]
fn nobody_has_what_it_has_not_acquired() {
    let none = "with a lock that it does not have";
    assert_is_wrong(none, |forge| forge.holds(20, 1, 0, 120));
    assert_is_wrong(none, |forge| forge.loses(20, 1, 0, "Expired", 120));
    assert_is_wrong(none, |forge| forge.adds(20, 1, 0, "one", Write::Refused, Write::Refused));
    assert_is_wrong(none, |forge| forge.client(20, 1, ClientEvent::Releases { hold: 0 }));
    let released = ClientEvent::Released { hold: 0, outcome: String::new() };
    assert_is_wrong("did not begin to release", |forge| forge.client(30, 0, released));
}

#[test]
fn nobody_gets_what_it_did_not_want() {
    let acquired = ClientEvent::Acquired { hold: 0, token: None, valid_until: 120_000_000 };
    assert_is_wrong("did not want", |forge| forge.client(20, 1, acquired));
    let gave_up = ClientEvent::GaveUp { hold: 0, why: String::new() };
    assert_is_wrong("did not want", |forge| forge.client(20, 1, gave_up));
}

#[test]
fn nobody_holds_what_it_has_let_go() {
    assert_is_wrong("with a lock that it does not have", |forge| {
        forge.releases(30, 0, 0);
        forge.holds(40, 0, 0, 110);
    });
    assert_is_wrong("with a lock that it does not have", |forge| {
        forge.releases(30, 0, 0);
        forge.releases(40, 0, 0);
    });
}

#[test]
fn nobody_holds_what_it_has_lost_or_what_is_valid_no_longer() {
    assert_is_wrong("holds what it has lost", |forge| {
        forge.loses(30, 0, 0, "Missing", 110);
        forge.holds(31, 0, 0, 110);
    });
    assert_is_wrong("lost it twice", |forge| {
        forge.loses(30, 0, 0, "Missing", 110);
        forge.loses(31, 0, 0, "Missing", 110);
    });
    assert_is_wrong("holds what is valid no longer", |forge| forge.holds(111, 0, 0, 110));
}

#[test]
fn a_number_of_a_hold_is_used_once_by_a_process() {
    assert_is_wrong("wants under a number that it has used", |forge| forge.wants(30, 0, 0));
    let mut forge = Forge::new(1);
    forge.wants(10, 0, 0);
    forge.starts(20, 0);
    forge.wants(30, 0, 0);
    forge.assert_good();
}

#[test]
fn clients_do_nothing_before_they_start_and_after_they_end() {
    assert_is_wrong("after it has ended", |forge| {
        forge.ends(30, 1);
        forge.wants(31, 1, 0);
    });
    assert_is_wrong("is not one of 2", |forge| forge.starts(30, 2));
    assert_is_wrong("ended with a hold that has no end", |forge| forge.ends(30, 0));
    let mut forge = Forge::new(1);
    forge.events.clear();
    forge.wants(10, 0, 0);
    assert!(forge.assert_breaks(Rule::WellFormed).contains("before it has started"));
}

#[test]
fn an_element_is_added_once_and_the_sets_are_known_in_the_end() {
    assert_is_wrong("added before", |forge| {
        forge.adds(21, 0, 0, "one", Write::NotTried, Write::NotTried);
        forge.adds(22, 0, 0, "one", Write::NotTried, Write::NotTried);
    });
    let mut forge = Forge::new(1);
    forge.acquires(10, 0, 0, 1, 110);
    forge.adds(20, 0, 0, "one", Write::Done, Write::Done);
    forge.releases(30, 0, 0);
    forge.run(40, RunEvent::Calm);
    forge.acquires(50, 0, 1, 2, 150);
    forge.releases(60, 0, 1);
    forge.ends(70, 0);
    assert!(forge.assert_breaks(Rule::WellFormed).contains("what it had in the end is missing"));
}

#[test]
fn faults_begin_once_and_are_healed_after_that() {
    let fault =
        || RunEvent::Fault { id: 3, kind: "kill".to_owned(), target: Target::Node(0), detail: String::new() };
    assert_is_wrong("had not begun", |forge| forge.run(30, RunEvent::Healed { id: 3 }));
    assert_is_wrong("began twice", |forge| {
        forge.run(30, fault());
        forge.run(31, fault());
    });
}

#[test]
fn a_loss_may_be_told_while_the_lock_is_let_go() {
    let mut forge = Forge::new(1);
    forge.acquires(10, 0, 0, 1, 110);
    forge.client(50, 0, ClientEvent::Releases { hold: 0 });
    forge.loses(51, 0, 0, "Missing", 110);
    forge.client(52, 0, ClientEvent::Released { hold: 0, outcome: String::new() });
    forge.assert_good();
}
