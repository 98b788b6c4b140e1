//! The nodes together, and nodes that do not answer.

use std::sync::Arc;

use futures::executor::block_on;
use redlock::Locks;
use redlock::backend::memory::MemoryNode;
use redlock::node::{Effect, NodeErrorKind};
use redlock::preflight::{FindingKind, Severity};
use redlock::testing::faulty::{Fault, FaultyNode, Op};
use redlock::testing::real_env;
use redlock::testing::servers::RedisServer;
use redlock::testing::virtual_env::VirtualEnv;

use crate::{build, builder, good_fleet, look_at, none, only};

#[test]
fn servers_that_are_as_they_should_be_are_found_good_and_build_in_strict_mode() {
    let fleet = good_fleet(3);
    let locks = block_on(builder(fleet.admin_urls()).strict(true).build()).unwrap();
    let report = block_on(locks.preflight());
    assert_eq!(report.worst(), Severity::Note, "{report}");
    let same_host = only(&report, Severity::Note, |kind| matches!(kind, FindingKind::SameHostLocal { .. }));
    assert_eq!(same_host.node, None);
    for wanted in ["ClockAgrees", "Prompt"] {
        let found = report.of(Severity::Good).filter(|found| format!("{:?}", found.kind).starts_with(wanted));
        assert_eq!(found.count(), 3, "{wanted} in\n{report}");
    }
}

#[test]
fn one_server_tolerates_no_failure() {
    let server = RedisServer::start().unwrap();
    let report = look_at(&server);
    only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::SingleNode));
    // One clock has nothing to be compared with.
    none(&report, |kind| matches!(kind, FindingKind::ClockAgrees { .. } | FindingKind::EvenNodes { .. }));
}

#[test]
fn an_even_number_of_nodes_is_no_better_than_one_less() {
    let report = block_on(build(good_fleet(4).admin_urls()).preflight());
    let finding =
        only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::EvenNodes { nodes: 4 }));
    assert!(finding.to_string().contains("no more failures than 3"), "{finding}");
}

#[test]
fn nodes_on_one_host_fail_together() {
    let fleet = good_fleet(3);
    let mut urls = fleet.admin_urls();
    for url in &mut urls[..2] {
        *url = url.replace("127.0.0.1", "0.0.0.0");
    }
    let report = block_on(build(urls).preflight());
    let finding = only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::SameHost { .. }));
    let FindingKind::SameHost { host, nodes } = finding.kind else { panic!("{finding}") };
    assert_eq!((&*host, nodes.len()), ("0.0.0.0", 2));
}

#[test]
fn a_node_that_is_down_or_hangs_is_a_warning_with_its_reason_and_one_too_many_is_an_error() {
    let fleet = good_fleet(3);
    let locks = build(fleet.admin_urls());
    fleet.server(1).pause().unwrap();
    let report = block_on(locks.preflight());
    let finding = only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::Unreachable { .. }));
    assert_eq!(finding.node.as_deref(), Some(&*fleet.server(1).address()));
    // It has answered before: nobody need be asked whether it is a Redis.
    assert!(finding.to_string().contains("no answer") && !finding.to_string().contains("TLS"), "{finding}");
    none(&report, |kind| matches!(kind, FindingKind::NoQuorum { .. }));

    fleet.server(2).kill();
    let report = block_on(locks.preflight());
    only(&report, Severity::Error, |kind| matches!(kind, FindingKind::NoQuorum { usable: 1, needed: 2 }));
    let down = report.findings().iter().filter(|found| matches!(found.kind, FindingKind::Unreachable { .. }));
    assert_eq!(down.count(), 2, "{report}");
    assert!(report.to_string().contains(&fleet.server(2).address()), "{report}");
}

#[test]
fn a_node_in_this_process_is_good_and_nothing_else() {
    let locks = block_on(Locks::builder().memory().strict(true).build()).unwrap();
    let report = block_on(locks.preflight());
    assert_eq!(report.worst(), Severity::Good, "{report}");
    assert_eq!(
        report.to_string(),
        "preflight of 1 node, 1 must grant: all good\n\ngood     memory-0: in this process\n"
    );
    assert_eq!(locks.blocking().preflight().worst(), Severity::Good);
}

#[test]
fn a_node_that_fails_when_it_is_looked_at_is_a_warning_with_its_reason() {
    let env = real_env().unwrap();
    let node = FaultyNode::new(MemoryNode::new("memory", Arc::clone(&env)), env);
    node.set_for(Op::Examine, Fault::fail(NodeErrorKind::NotReady, Effect::None));
    let locks = block_on(Locks::builder().node(node).build()).unwrap();
    let report = block_on(locks.preflight());
    let finding = only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::Unreachable { .. }));
    assert_eq!(
        finding.to_string(),
        "memory: a fault was asked for -> start it, or see why it cannot be reached"
    );
}

#[test]
fn a_node_that_never_says_how_it_is_set_up_holds_nobody_up_for_long() {
    let sim = VirtualEnv::new(7);
    let node = FaultyNode::new(MemoryNode::new("memory", sim.env()), sim.env());
    node.set_for(Op::Examine, Fault::drop_reply());
    let started = sim.now();
    let builder = Locks::builder().env(sim.client(Default::default())).node(node);
    let locks = sim.block_on(builder.build()).unwrap();
    let report = sim.block_on(locks.preflight());
    let finding = only(&report, Severity::Warning, |kind| matches!(kind, FindingKind::Unreachable { .. }));
    assert!(finding.to_string().contains("no answer within 3s"), "{finding}");
    assert_eq!(sim.now().saturating_since(started).as_secs(), 6, "3 s each");
}
