//! What happened, in numbers.

use std::time::Duration;

use redlock_tests::history::{ClientEvent, RunEvent, Target};
use redlock_tests::oracle::Percentiles;

use super::forge::Forge;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn holds_waits_losses_and_faults_are_counted() {
    let mut forge = Forge::new(2);
    for (index, wait) in (0..10).zip([1, 2, 3, 4, 5, 6, 7, 8, 9, 40]) {
        let at = 100 * (index + 1);
        forge.wants(at - wait, 0, index);
        let valid_until = (at + 100) * 1_000_000;
        forge.client(at, 0, ClientEvent::Acquired { hold: index, token: Some(index), valid_until });
        forge.holds(at + 20, 0, index, at + 100);
        if index % 5 == 0 {
            forge.loses(at + 30, 0, index, "Missing", at + 100);
        }
        forge.releases(at + 31, 0, index);
    }
    forge.loses(1040, 0, 9, "ClockMoved", 1100);
    forge.wants(2000, 1, 0);
    forge.client(2001, 1, ClientEvent::GaveUp { hold: 0, why: "dropped".to_owned() });
    for (id, kind) in (0..).zip(["pause", "kill", "pause"]) {
        let (kind, target) = (kind.to_owned(), Target::Node(0));
        forge.run(100, RunEvent::Fault { id, kind, target, detail: String::new() });
    }
    forge.run(101, RunEvent::Failed { id: 1, why: "it was dead".to_owned() });
    forge.assert_good();
    let figures = forge.verdict().figures;
    assert_eq!((figures.acquired, figures.given_up, figures.faults_failed), (10, 1, 1));
    assert_eq!(figures.lost, [("ClockMoved".to_owned(), 1), ("Missing".to_owned(), 2)]);
    assert_eq!(figures.faults, [("kill".to_owned(), 1), ("pause".to_owned(), 2)]);
    let waits = Percentiles { p50: millis(5), p90: millis(9), p99: millis(40), max: millis(40) };
    assert_eq!(figures.waits, waits);
    let holds = Percentiles { p50: millis(20), p90: millis(20), p99: millis(20), max: millis(20) };
    assert_eq!(figures.holds, holds);
    assert_eq!(figures.recovery, None, "the second client has acquired nothing");
}

#[test]
fn recovery_lasts_until_every_client_has_acquired() {
    let mut forge = Forge::new(2);
    let (kind, target) = ("pause".to_owned(), Target::Node(0));
    forge.run(100, RunEvent::Fault { id: 0, kind, target, detail: String::new() });
    forge.acquires(150, 1, 0, 1, 250);
    forge.releases(160, 1, 0);
    forge.run(200, RunEvent::Healed { id: 0 });
    forge.acquires(210, 0, 0, 2, 310);
    forge.releases(220, 0, 0);
    assert_eq!(forge.verdict().figures.recovery, None);
    forge.acquires(230, 1, 1, 3, 330);
    forge.releases(240, 1, 1);
    assert_eq!(forge.verdict().figures.recovery, Some(millis(30)));
}

#[test]
fn nothing_has_no_figures() {
    let figures = Forge::new(1).verdict().figures;
    assert_eq!(figures, redlock_tests::oracle::Figures::default());
}
