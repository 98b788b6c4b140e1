//! A change of state is said once, however many attempts it takes; what is counted is what has happened.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::node::{Effect, Node, NodeErrorKind};
use redlock::testing::faulty::{Fault, FaultyNode, Op};
use redlock::testing::real_env;
use redlock::testing::servers::{ClockStep, RedisFleet, RedisServer};
use redlock::{Locks, Protections};
use redlock_tests::clock_shim;
use redlock_tests::support::{self, eventually};

use crate::recorder::Recorder;
use crate::scenarios;
use crate::stage::Stage;

#[test]
fn a_node_that_goes_and_comes_back_is_said_to_be_down_once_and_up_once() {
    scenarios::a_node_goes_and_comes_back(&Stage::new());
}

#[test]
fn a_renewal_that_fails_for_a_while_is_said_once_and_its_success_too() {
    scenarios::renewal_fails_for_a_while(&Stage::new());
}

#[test]
fn a_loss_is_said_once_and_counted_once() {
    scenarios::validity_ends(&Stage::new());
}

#[test]
fn a_quarantine_and_its_end_are_said_once_and_counted_once_for_each_node() {
    scenarios::a_new_fleet(&Stage::new());
}

#[test]
fn a_foreign_node_is_said_once_for_each_reason_however_often_it_is_asked() {
    scenarios::a_node_becomes_foreign(&Stage::new());
}

#[test]
fn a_jump_of_a_nodes_clock_is_said_once_and_counted_once() {
    scenarios::the_clock_of_a_node_jumps(&Stage::new());
}

#[test]
fn a_jump_of_a_nodes_clock_is_said_once_however_often_its_marker_cannot_be_changed() {
    let stage = Stage::new();
    let options = RedisServer::options().clock_shim(clock_shim());
    let fleet = RedisFleet::start_with(3, &options).unwrap();
    let env = real_env().unwrap();
    let nodes: Vec<Arc<FaultyNode>> = fleet
        .urls()
        .iter()
        .map(|url| {
            let config = RedisConfig::from_url(url).unwrap().restart_guard(true);
            let node = RedisNode::start(config, Arc::clone(&env), Protections::default()).unwrap();
            FaultyNode::new(node, Arc::clone(&env))
        })
        .collect();
    let builder = Locks::builder().ttl(scenarios::MAX_TTL).max_ttl(scenarios::MAX_TTL);
    let builder = nodes.iter().fold(builder, |builder, node| builder.node(Arc::clone(node) as Arc<dyn Node>));
    let _locks = stage.init(builder);
    let looks = || nodes[0].log().iter().filter(|event| event.op == Op::Probe).count();
    let node = nodes[0].address();
    nodes[0].set_for(Op::Mark, Fault::fail(NodeErrorKind::Denied, Effect::None));
    fleet.server(0).step_clock(ClockStep::Forward(Duration::from_secs(60))).unwrap();
    eventually("it is said", || stage.said("clock of node has moved", "node", node) > 0);
    let before = looks();
    eventually("it was looked at again and again", || looks() >= before + 5);
    stage.only("clock of node has moved", "node", node);
    assert_eq!(stage.recorder.value("redlock_clock_jumps_total", &[]), 1.0);
}

#[test]
fn nodes_that_are_there_from_the_beginning_are_not_worth_a_line() {
    let stage = Stage::new();
    let fleet = RedisFleet::start(3).unwrap();
    let locks = stage.build(support::builder(&fleet));
    for server in &fleet {
        let node = server.address();
        let is_up = || stage.recorder.value("redlock_connections", &[("node", &node)]) == 1.0;
        eventually("it is connected", is_up);
        assert!(stage.lines().iter().all(|line| line.field("node") != node));
    }
    drop(locks);
    eventually("it is disconnected", || stage.recorder.value("redlock_connections", &[]) == 0.0);
}

#[test]
fn an_acquisition_is_one_span_and_one_value_whatever_becomes_of_it() {
    let stage = Stage::new();
    let fleet = RedisFleet::start(3).unwrap();
    let locks = stage.build(support::builder(&fleet));
    let guard = block_on(locks.lock(stage.name("spanned")).acquire()).unwrap();
    let waited = Duration::from_millis(100);
    // Another client: who waits for a holder of its own asks nobody.
    let other = stage.build(support::builder(&fleet));
    assert!(block_on(other.lock(stage.name("spanned")).wait_at_most(waited).acquire()).is_err());
    assert_eq!(stage.recorder.value("redlock_locks_held", &[]), 1.0);
    let token = guard.fencing_token().unwrap().get().to_string();
    block_on(guard.release()).unwrap();

    let spans = stage.acquisitions(&stage.name("spanned"));
    let outcomes: Vec<&str> = spans.iter().map(|span| span.field("outcome")).collect();
    assert_eq!(outcomes, ["acquired", "busy"]);
    assert_eq!((spans[0].field("token"), spans[0].field("attempts")), (&*token, "1"));
    assert!(!spans[1].fields.contains_key("token"));
    assert_eq!(stage.recorder.count("redlock_acquire_seconds", &[("outcome", "acquired")]), 1);
    assert_eq!(stage.recorder.count("redlock_acquire_seconds", &[("outcome", "busy")]), 1);
    assert_eq!(stage.recorder.count("redlock_acquire_rounds", &[]), 2);
    assert!(stage.recorder.largest("redlock_acquire_rounds") >= 1.0);
    assert!(stage.recorder.largest("redlock_acquire_seconds") >= waited.as_secs_f64());
    assert!(stage.recorder.largest("redlock_acquire_wait_seconds") > 0.0);
    assert_eq!(stage.recorder.value("redlock_waiters", &[]), 0.0);
    assert_eq!(stage.recorder.value("redlock_locks_held", &[]), 0.0);
    assert_eq!(stage.recorder.value("redlock_releases_total", &[("outcome", "confirmed")]), 1.0);
    eventually("nothing is left to do", || stage.recorder.value("redlock_unsettled_releases", &[]) == 0.0);
    // Three nodes were asked once, and at least once more.
    eventually("every node's vote is counted", || {
        stage.recorder.value("redlock_votes_total", &[("vote", "granted")]) == 3.0
    });
    assert!(stage.recorder.value("redlock_votes_total", &[("vote", "held")]) >= 2.0);
}

#[test]
fn a_recorder_that_comes_after_the_locks_were_built_is_told_nothing() {
    let fleet = RedisFleet::start(1).unwrap();
    let locks = Stage::new().build(support::builder(&fleet));
    let late = Recorder::default();
    metrics::with_local_recorder(&late, || drop(block_on(locks.lock("late").acquire()).unwrap()));
    assert!(late.registered().is_empty(), "as the documentation says");
}
