//! What was sent to one master of a Cluster is not settled by another.

use std::sync::Arc;

use futures::FutureExt;
use redlock::Instant;
use redlock::node::Node;
use redlock::testing::servers::RedisCluster;
use redlock_tests::support::eventually;

use crate::{acquisition, connected, from_now, names, of_cluster, release};

/// Has the master of this name stop, and sends it a request that is still unanswered.
fn leave_unanswered(cluster: &RedisCluster, node: &Arc<dyn Node>, lock: &str) {
    cluster.master(0).pause().unwrap();
    let mut reply = Arc::clone(node).acquire(acquisition(lock, 1));
    assert!((&mut reply).now_or_never().is_none());
}

/// Whether a release says that requests which were to be run by `deadline` are over; `None` without an answer.
fn is_settled(node: &Arc<dyn Node>, lock: &str, deadline: Instant) -> Option<bool> {
    release(node, lock, 1, Some(deadline)).ok().map(|released| released.settled)
}

/// A node that has sent a request for `lock`, to be run within a minute, to a master that stands still and has lost the
/// slot since.
fn unanswered_by_a_former_master() -> (RedisCluster, Arc<dyn Node>, String) {
    let cluster = RedisCluster::start(3).unwrap();
    let node = connected(of_cluster(&cluster));
    let lock = names(&cluster)[0].clone();
    let slot = cluster.slot(&format!("redlock:{lock}")).unwrap();
    cluster.begin_migration(slot, 0, 1).unwrap();
    leave_unanswered(&cluster, &node, &lock);
    let myself = cluster.master(1).command(&["CLUSTER", "MYID"]).unwrap();
    let command = ["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", myself.text().unwrap()];
    cluster.master(1).command(&command).unwrap();
    (cluster, node, lock)
}

#[test]
fn a_request_to_a_stopped_master_is_not_settled_by_the_one_that_has_taken_its_slot() {
    let (_cluster, node, lock) = unanswered_by_a_former_master();
    let later = from_now(120_000);
    eventually("the new master answers", || is_settled(&node, &lock, later).is_some());
    assert_eq!(is_settled(&node, &lock, later), Some(false));
    let soon = from_now(50);
    eventually("the deadline has passed", || is_settled(&node, &lock, soon) == Some(true));
    assert_eq!(is_settled(&node, &lock, later), Some(false));
}

#[test]
fn a_request_to_a_master_that_is_gone_is_not_settled_by_its_successor() {
    let cluster = RedisCluster::start_with_replica(3).unwrap();
    let node = connected(of_cluster(&cluster));
    let lock = &names(&cluster)[0];
    leave_unanswered(&cluster, &node, lock);
    cluster.master(0).kill();
    let later = from_now(120_000);
    eventually("its successor answers", || is_settled(&node, lock, later).is_some());
    assert_eq!(is_settled(&node, lock, later), Some(false));
    let soon = from_now(50);
    eventually("the deadline has passed", || is_settled(&node, lock, soon) == Some(true));
}
