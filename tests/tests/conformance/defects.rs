//! What each check is for: nodes with one defect each, and exactly the checks that they fail.

mod client;
mod counters;
mod described;
mod holds;
mod markers;
mod says;
mod watches;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use redlock::Protections;
use redlock::node::Node;
use redlock::testing::conformance::{self, Report, Subject};
use redlock::testing::virtual_env::VirtualEnv;

use crate::memory::Tables;
use crate::wrong::{Place, Wrong, WrongNode};

/// A node with a defect.
struct Case {
    defect: &'static str,
    is_in_the_store: bool,
    is_guarded: bool,
    has_one_namespace: bool,
    protections: Protections,
    wrong: Wrong,
    fails: &'static [&'static str],
}

impl Case {
    /// All clients of the store meet the defect, each over a link of its own.
    fn in_the_store(defect: &'static str, make: fn(Wrong) -> Wrong, fails: &'static [&'static str]) -> Self {
        let wrong = make(Wrong::default());
        let protections = Protections::default();
        let (is_in_the_store, is_guarded, has_one_namespace) = (true, true, false);
        Self { defect, is_in_the_store, is_guarded, has_one_namespace, protections, wrong, fails }
    }

    /// Every client has it, before the link to the store.
    fn in_the_client(defect: &'static str, make: fn(Wrong) -> Wrong, fails: &'static [&'static str]) -> Self {
        Self { is_in_the_store: false, ..Self::in_the_store(defect, make, fails) }
    }

    /// The table without one of its safeguards.
    fn without(protection: &'static str, fails: &'static [&'static str]) -> Self {
        Self::in_the_store(protection, |plain| plain, fails).and_without(protection)
    }

    fn and_without(self, protection: &str) -> Self {
        Self { protections: Protections::without(protection).unwrap(), ..self }
    }

    fn without_marker(self) -> Self {
        Self { is_guarded: false, ..self }
    }

    fn with_one_namespace(self) -> Self {
        Self { has_one_namespace: true, ..self }
    }

    fn subject(&self) -> Subject {
        let simulation = Arc::new(VirtualEnv::new(1));
        let env = simulation.env();
        let tables = Tables::new(&env, self.is_guarded, self.protections);
        let clients = Arc::clone(&tables);
        let (wrong, is_in_the_store) = (self.wrong.clone(), self.is_in_the_store);
        let has_one_namespace = self.has_one_namespace;
        let (places, number) = (Mutex::new(HashMap::<String, Place>::new()), AtomicUsize::new(0));
        let subject = Subject::on_virtual_time(simulation, move |namespace| -> Arc<dyn Node> {
            let namespace = if has_one_namespace { "all" } else { namespace };
            let new = || Place::new(clients.table(namespace), Arc::clone(&env));
            let place = places.lock().unwrap().entry(namespace.to_owned()).or_insert_with(new).clone();
            let number = number.fetch_add(1, Ordering::SeqCst);
            match is_in_the_store {
                true => {
                    let store = place.by(place.node(), number);
                    clients.link(WrongNode::new(store, wrong.clone()))
                }
                false => WrongNode::new(place.by(clients.link(place.node()), number), wrong.clone()),
            }
        });
        tables.hooked(subject).secrets(["hunter2"])
    }
}

fn cases() -> Vec<Case> {
    [
        holds::cases(),
        counters::cases(),
        says::cases(),
        described::cases(),
        watches::cases(),
        client::cases(),
        markers::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is wrong with the table of defects, if anything is.
fn judge(cases: Vec<Case>) {
    let mut wrong = String::new();
    for case in cases {
        let report: Report = conformance::run(&case.subject());
        let failed: Vec<_> = report.failed().collect();
        if failed != case.fails {
            let details = report.to_string();
            let details = details.split_once("\n\n").map_or("", |(_, details)| details);
            wrong += &format!("\n== {}: {failed:#?} instead of {:#?}\n{details}", case.defect, case.fails);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_check_fails_for_some_defect() {
    let failing: BTreeSet<_> = cases().iter().flat_map(|case| case.fails).copied().collect();
    let all: BTreeSet<_> = conformance::suite().iter().map(|check| check.name()).collect();
    assert_eq!(failing, all);
}

#[test]
fn defects_of_holding_fail_their_checks_and_no_others() {
    judge(holds::cases());
}

#[test]
fn defects_of_counters_fail_their_checks_and_no_others() {
    judge(counters::cases());
}

#[test]
fn defects_of_what_is_said_fail_their_checks_and_no_others() {
    judge(says::cases());
}

#[test]
fn defects_of_descriptions_fail_their_checks_and_no_others() {
    judge(described::cases());
}

#[test]
fn defects_of_watches_fail_their_checks_and_no_others() {
    judge(watches::cases());
}

#[test]
fn defects_of_clients_fail_their_checks_and_no_others() {
    judge(client::cases());
}

#[test]
fn defects_of_markers_fail_their_checks_and_no_others() {
    judge(markers::cases());
}
