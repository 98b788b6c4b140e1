//! What people and programs get to see.

use std::collections::HashSet;
use std::sync::Arc;

use redlock::backend::memory::MemoryNode;
use redlock::testing::conformance::{self, Outcome, Subject};
use redlock::testing::virtual_env::VirtualEnv;

fn subject() -> Subject {
    let simulation = Arc::new(VirtualEnv::new(1));
    let node = MemoryNode::new("memory", simulation.env());
    // One table whatever the namespace: that is not allowed.
    Subject::on_virtual_time(simulation, move |_| node.clone())
}

#[test]
fn every_check_has_a_name_of_its_own_and_a_clause() {
    let suite = conformance::suite();
    let names: HashSet<_> = suite.iter().map(|check| check.name()).collect();
    assert_eq!(names.len(), suite.len());
    for check in &suite {
        assert!(check.clause().ends_with('.') && check.clause().len() > 20, "{check:?}");
    }
}

#[test]
fn a_report_is_a_table_and_the_failures_at_length() {
    let report = conformance::run(&subject());
    assert_eq!(report.failed().collect::<Vec<_>>(), ["namespaces_are_separate"]);
    let text = report.to_string();
    for part in [
        "memory: ",
        " 1 broken, ",
        "  ok      one_owner_at_a_time ",
        "  BROKEN  namespaces_are_separate\n",
        "the store cannot be stopped here (`Subject::pausing`)\n",
        "\nnamespaces_are_separate\n  clause:   Names under different prefixes are different locks.\n  expected: ",
        "\n  found:    refused: held by another owner",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

#[test]
#[should_panic(expected = "the node does not keep the contract")]
fn a_node_that_does_not_conform_fails_a_test_with_the_report() {
    conformance::assert_conforms(&subject());
}

#[test]
fn a_check_runs_alone_too() {
    let suite = conformance::suite();
    let run = |name| suite.iter().find(|check| check.name() == name).unwrap().run(&subject());
    assert_eq!(run("one_owner_at_a_time"), Outcome::Ok);
    assert!(run("namespaces_are_separate").is_failed());
    assert!(matches!(run("a_silent_store_gives_no_vote"), Outcome::NotApplicable(_)));
}

#[test]
fn a_store_that_cannot_be_opened_fails_every_check_and_says_why() {
    let simulation = Arc::new(VirtualEnv::new(1));
    let subject = Subject::on_virtual_time(simulation, |_| panic!("no such store"));
    let report = conformance::run(&subject);
    assert_eq!(report.failed().count(), conformance::suite().len());
    assert!(report.to_string().contains("a panic: no such store"), "{report}");
}
