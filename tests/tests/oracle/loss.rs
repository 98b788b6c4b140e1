//! Losses that are told too late.

use redlock_tests::history::{RunEvent, Target};
use redlock_tests::oracle::Rule;

use super::forge::Forge;

/// Valid until 1000, and told of the loss then.
fn lost_at(at: u64) -> Forge {
    let mut forge = Forge::new(2);
    forge.acquires(10, 0, 0, 1, 1000);
    forge.loses(at, 0, 0, "Expired", 1000);
    forge
}

#[test]
fn a_loss_that_is_told_before_the_validity_ends_is_in_time() {
    lost_at(999).assert_good();
}

#[test]
fn a_thread_may_wait_for_its_turn_a_little() {
    lost_at(1100).assert_good();
}

#[test]
fn a_loss_that_is_told_late_is_found() {
    let detail = lost_at(1101).assert_breaks(Rule::LostInTime);
    assert_eq!(
        detail,
        "client 0 (token 1) was told of the loss of a (Expired) 101.0ms after its validity had ended"
    );
}

#[test]
fn a_process_that_did_not_get_the_cpu_is_told_when_it_does() {
    let mut forge = lost_at(1300);
    // The thread that notes it may run a moment later than the one that was told.
    forge.is_starved(900, 1301, 0);
    forge.assert_good();
}

#[test]
fn starvation_before_the_end_of_the_validity_and_of_others_is_no_excuse() {
    let mut forge = lost_at(1300);
    forge.is_starved(900, 990, 0);
    forge.is_starved(900, 1301, 1);
    forge.assert_breaks(Rule::LostInTime);
}

#[test]
fn after_starvation_a_loss_must_be_told_at_once() {
    let mut forge = lost_at(1300);
    forge.is_starved(900, 1100, 0);
    forge.assert_breaks(Rule::LostInTime);
}

#[test]
fn a_client_that_the_run_stopped_is_excused_while_it_was_stopped() {
    let stopped = |client| {
        let mut forge = lost_at(1300);
        let (kind, target) = ("client-pause".to_owned(), Target::Client(client));
        forge.run(500, RunEvent::Fault { id: 0, kind, target, detail: String::new() });
        forge.run(1290, RunEvent::Healed { id: 0 });
        forge
    };
    stopped(0).assert_good();
    stopped(1).assert_breaks(Rule::LostInTime);
}
