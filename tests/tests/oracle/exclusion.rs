//! Two holders at a time.

use redlock_tests::oracle::Rule;

use super::forge::Forge;

/// Client 0 has held it from 10 to 50 for certain, and valid until 110.
fn held() -> Forge {
    let mut forge = Forge::new(3);
    forge.acquires(10, 0, 0, 1, 110);
    forge.holds(30, 0, 0, 110);
    forge.holds(50, 0, 0, 110);
    forge
}

#[test]
fn two_clients_that_hold_at_a_time_are_found() {
    let mut forge = held();
    forge.acquires(40, 1, 0, 2, 140);
    forge.holds(45, 1, 0, 145);
    forge.releases(60, 0, 0);
    forge.releases(70, 1, 0);
    let detail = forge.assert_breaks(Rule::MutualExclusion);
    assert_eq!(
        detail,
        "two holders of a: client 1 (token 2) acquired it while client 0 (token 1) held it, \
         and both held it for 5.0ms at least"
    );
    let violation = &forge.verdict().violations[0];
    assert_eq!(violation.holds, [(0, 0), (1, 0)]);
}

#[test]
fn one_that_holds_within_the_time_of_an_earlier_one_is_found_behind_another_one_too() {
    let mut forge = Forge::new(3);
    forge.acquires(10, 0, 0, 1, 200);
    forge.acquires(20, 1, 0, 2, 120);
    forge.releases(25, 1, 0);
    forge.acquires(60, 2, 0, 3, 160);
    forge.releases(65, 2, 0);
    forge.holds(100, 0, 0, 200);
    forge.releases(101, 0, 0);
    forge.assert_breaks(Rule::MutualExclusion);
    let holds: Vec<_> = forge.verdict().violations.into_iter().map(|violation| violation.holds).collect();
    assert_eq!(holds, [[(0, 0), (1, 0)], [(0, 0), (2, 0)]]);
}

#[test]
fn a_lock_that_was_released_is_free() {
    let mut forge = held();
    forge.releases(50, 0, 0);
    // The nodes were told before the client had an answer.
    forge.acquires(51, 1, 0, 2, 151);
    forge.assert_good();
}

#[test]
fn different_names_have_nothing_to_do_with_each_other() {
    let mut forge = held();
    forge.acquires_name("b", 20, 1, 0, 1, 120);
    forge.holds(40, 1, 0, 120);
    forge.assert_good();
}

#[test]
fn the_same_client_must_not_have_it_twice() {
    let mut forge = held();
    forge.acquires(45, 0, 1, 2, 145);
    forge.assert_breaks(Rule::MutualExclusion);
}

#[test]
fn what_a_killed_client_was_promised_is_nobody_elses() {
    let mut forge = held();
    forge.starts(60, 0);
    let mut late = forge.clone();
    forge.acquires(100, 1, 0, 2, 200);
    let detail = forge.assert_breaks(Rule::MutualExclusion);
    assert!(
        detail
            .contains("client 1 (token 2) acquired it 9.0ms before the validity of client 0 (token 1) ended"),
        "{detail}"
    );
    // Expiry is noticed a millisecond ahead.
    late.acquires(109, 1, 0, 2, 209);
    late.assert_good();
}

#[test]
fn a_killed_client_does_not_get_back_what_it_held_before_its_time_either() {
    let mut forge = held();
    forge.starts(60, 0);
    forge.acquires(100, 0, 0, 2, 200);
    forge.assert_breaks(Rule::MutualExclusion);
}

#[test]
fn a_client_that_was_killed_after_it_had_let_go_held_nothing() {
    let mut forge = held();
    forge.client(55, 0, redlock_tests::history::ClientEvent::Releases { hold: 0 });
    forge.starts(60, 0);
    forge.acquires(61, 1, 0, 2, 161);
    forge.assert_good();
}

#[test]
fn what_a_stopped_client_was_promised_is_nobody_elses() {
    let mut forge = held();
    forge.acquires(100, 1, 0, 2, 200);
    forge.releases(101, 1, 0);
    // It goes on, and finds it lost.
    forge.is_starved(50, 300, 0);
    forge.loses(301, 0, 0, "Expired", 110);
    forge.releases(302, 0, 0);
    forge.assert_breaks(Rule::MutualExclusion);
}

#[test]
fn a_stopped_client_loses_its_lock_to_somebody_else_when_the_validity_has_ended() {
    let mut forge = held();
    forge.acquires(111, 1, 0, 2, 211);
    forge.holds(200, 1, 0, 211);
    forge.releases(201, 1, 0);
    forge.is_starved(50, 300, 0);
    forge.loses(301, 0, 0, "Expired", 110);
    forge.releases(302, 0, 0);
    forge.assert_good();
}

#[test]
fn a_client_that_hears_late_that_its_key_is_gone_holds_nothing_for_certain_since_its_last_look() {
    for why in ["Missing", "Superseded", "ClockMoved"] {
        let mut forge = held();
        // The nodes lost the key at 55, say.
        forge.acquires(60, 1, 0, 2, 160);
        forge.loses(65, 0, 0, why, 110);
        forge.releases(66, 0, 0);
        forge.assert_good();
    }
}

#[test]
fn a_client_that_has_found_it_valid_was_a_second_holder_whatever_the_reason_of_its_loss() {
    let mut forge = held();
    forge.acquires(40, 1, 0, 2, 140);
    forge.loses(65, 0, 0, "Superseded", 110);
    forge.releases(66, 0, 0);
    forge.assert_breaks(Rule::MutualExclusion);
}

#[test]
fn an_end_that_is_not_known_yet_is_no_violation() {
    let mut forge = held();
    forge.acquires(60, 1, 0, 2, 160);
    forge.assert_good();
}
