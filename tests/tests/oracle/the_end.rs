//! What must be when the faults are over.

use redlock_tests::history::{ClientEvent, RunEvent};
use redlock_tests::oracle::Rule;

use super::forge::Forge;

/// Two clients that acquire `a` after the faults; the second one ends as it is told to.
fn calm(second: impl FnOnce(&mut Forge)) -> Forge {
    let mut forge = Forge::new(2);
    forge.acquires(10, 1, 0, 1, 110);
    forge.releases(20, 1, 0);
    forge.run(100, RunEvent::Calm);
    forge.acquires(110, 0, 1, 2, 210);
    forge.releases(120, 0, 1);
    forge.ends(130, 0);
    second(&mut forge);
    forge
}

fn acquires(forge: &mut Forge) {
    forge.acquires(140, 1, 1, 3, 240);
    forge.releases(150, 1, 1);
}

#[test]
fn clients_that_acquire_every_lock_and_end_are_good() {
    let forge = calm(|forge| {
        acquires(forge);
        forge.ends(160, 1);
    });
    forge.assert_good();
}

#[test]
fn a_client_that_gives_up_is_found() {
    let forge = calm(|forge| {
        forge.wants(140, 1, 1);
        forge.client(150, 1, ClientEvent::GaveUp { hold: 1, why: "no quorum".to_owned() });
        forge.ends(160, 1);
    });
    let detail = forge.assert_breaks(Rule::Liveness);
    assert_eq!(detail, "client 1 did not acquire a: no quorum although there were no faults any more");
}

#[test]
fn a_client_that_does_not_end_is_found() {
    calm(acquires).assert_breaks(Rule::Liveness);
}

#[test]
fn a_client_whose_last_process_did_nothing_is_found() {
    let forge = calm(|forge| {
        acquires(forge);
        forge.starts(160, 1);
        forge.ends(170, 1);
    });
    forge.assert_breaks(Rule::Liveness);
}

#[test]
fn every_lock_that_somebody_wanted_must_be_acquired() {
    let mut forge = calm(|forge| {
        acquires(forge);
        forge.ends(160, 1);
    });
    forge.acquires_name("b", 50, 1, 5, 1, 150);
    forge.releases(60, 1, 5);
    assert_eq!(forge.verdict().violations.len(), 2, "neither client acquired b");
    forge.assert_breaks(Rule::Liveness);
}

#[test]
fn a_client_that_gave_up_once_and_acquires_after_all_is_good() {
    let forge = calm(|forge| {
        forge.wants(105, 1, 7);
        forge.client(106, 1, ClientEvent::GaveUp { hold: 7, why: "dropped".to_owned() });
        acquires(forge);
        forge.ends(160, 1);
    });
    forge.assert_good();
}

#[test]
fn a_run_that_still_has_faults_is_not_asked_for_it() {
    let mut forge = Forge::new(1);
    forge.wants(10, 0, 0);
    forge.assert_good();
}

#[test]
fn a_key_that_is_left_is_found() {
    let mut forge = Forge::new(1);
    forge.run(10, RunEvent::LeftKey { node: 1, key: "redlock:a".to_owned() });
    let detail = forge.assert_breaks(Rule::NothingLeft);
    assert_eq!(detail, "redlock:a is still on node two after all clients have ended");
}
