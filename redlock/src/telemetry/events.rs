//! Every event of the library. INFO and above: a state has changed, said once. DEBUG: an attempt has failed.

use std::fmt::Display;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::target::{ELECTION, LOCK, LOCKS, NODE};
use crate::error::{LostReason, NodeReport, Nodes};
use crate::id::{FencingToken, LockName};
use crate::node::NodeError;

#[cfg(any(feature = "redis", feature = "zookeeper", feature = "memcached", feature = "etcd"))]
pub(super) fn node_down(node: &str, reason: &str) {
    warn!(target: NODE, node, reason, "node is down");
}

#[cfg(any(feature = "redis", feature = "zookeeper", feature = "memcached", feature = "etcd"))]
pub(super) fn node_up_again(node: &str) {
    info!(target: NODE, node, "node is up again");
}

#[cfg(any(feature = "redis", feature = "zookeeper", feature = "memcached", feature = "etcd"))]
pub(super) fn connection_attempt_failed(node: &str, reason: &str) {
    debug!(target: NODE, node, reason, "connection attempt failed");
}

#[cfg(feature = "redis")]
pub(crate) fn wakeups_unavailable(node: &str, reason: &str) {
    debug!(target: NODE, node, reason, "node does not tell when a lock becomes free");
}

#[cfg(feature = "redis")]
pub(crate) fn slots_unknown(node: &str, reason: &str) {
    debug!(target: NODE, node, reason, "slots of Cluster are not known");
}

#[cfg(feature = "memcached")]
pub(crate) fn sharded_unguarded(node: &str) {
    warn!(target: NODE, node, "node is several servers, which the restart guard does not cover");
}

#[cfg(feature = "redis")]
pub(crate) fn cluster_unguarded(node: &str) {
    warn!(target: NODE, node, "node is a Cluster, which the restart guard does not cover");
}

/// `nodes`: those that it is about, empty if it is about all of them.
pub(crate) fn preflight_warning(nodes: &str, finding: &str, advice: &str) {
    warn!(target: LOCKS, nodes, finding, advice, "preflight warns");
}

pub(crate) fn node_quarantined(node: &str, lasts: Duration) {
    warn!(target: NODE, node, ?lasts, "node is in quarantine, since its memory is new");
}

pub(crate) fn node_admitted(node: &str) {
    info!(target: NODE, node, "node is out of quarantine");
}

pub(crate) fn node_foreign(node: &str, reason: impl Display) {
    error!(target: NODE, node, %reason, "node cannot be used");
}

/// `by`: how far it is from where it was.
pub(crate) fn node_clock_moved(node: &str, by: impl Display) {
    warn!(target: NODE, node, %by, "clock of node has moved");
}

pub(crate) fn node_said_nothing(error: &NodeError) {
    debug!(target: NODE, node = &*error.node, reason = error.detail, "node does not say who it is");
}

pub(crate) fn marker_not_changed(error: &NodeError) {
    debug!(target: NODE, node = &*error.node, reason = error.detail, "marker of node was not changed");
}

pub(crate) fn own_clock_moved() {
    error!(target: LOCKS, "own clock has moved against those of a quorum of nodes; all locks are given up");
}

pub(crate) fn shutdown_incomplete(open_guards: usize, unsettled: usize) {
    warn!(target: LOCKS, open_guards, unsettled, "shutdown has run out of time");
}

#[cfg(target_os = "linux")]
pub(crate) fn timer_failed(reason: impl Display) {
    error!(target: LOCKS, %reason, "timer cannot be set; leases are judged by the clock alone");
}

/// `remaining`: how much of the validity is left.
pub(crate) fn lock_suspect(lock: &LockName, remaining: Duration, nodes: &[NodeReport]) {
    warn!(target: LOCK, %lock, ?remaining, nodes = %Nodes(nodes), "renewal fails; lock is held until its validity ends");
}

pub(crate) fn lock_healthy(lock: &LockName) {
    info!(target: LOCK, %lock, "renewal succeeds again");
}

pub(crate) fn renewal_attempt_failed(lock: &LockName, nodes: &[NodeReport]) {
    debug!(target: LOCK, %lock, nodes = %Nodes(nodes), "renewal attempt failed");
}

pub(crate) fn lock_lost(lock: &LockName, reason: LostReason) {
    warn!(target: LOCK, %lock, %reason, "lock is lost");
}

pub(crate) fn lock_not_held(lock: &LockName) {
    warn!(target: LOCK, %lock, "lock was not held any more when it was released");
}

pub(crate) fn release_unconfirmed(lock: &LockName, nodes: &[NodeReport]) {
    warn!(target: LOCK, %lock, nodes = %Nodes(nodes), "release is not confirmed; it goes on in the background");
}

pub(crate) fn leads(election: &LockName, epoch: FencingToken, candidate: impl Display) {
    info!(target: ELECTION, %election, epoch = epoch.get(), %candidate, "candidate leads");
}

pub(crate) fn leads_no_more(election: &LockName, epoch: FencingToken) {
    info!(target: ELECTION, %election, epoch = epoch.get(), "leader has resigned");
}

pub(crate) fn leadership_lost(election: &LockName, epoch: FencingToken, reason: LostReason) {
    warn!(target: ELECTION, %election, epoch = epoch.get(), %reason, "leadership is lost");
}

pub(crate) fn won_too_late(election: &LockName, epoch: FencingToken) {
    warn!(target: ELECTION, %election, epoch = epoch.get(), "election was won too late; it goes on");
}

pub(crate) fn work_overruns(election: &LockName, epoch: FencingToken) {
    error!(target: ELECTION, %election, epoch = epoch.get(), "work of leader has not ended with its leadership");
}
