//! Whether a node is connected: said when it changes, not for every attempt.
#![cfg(any(feature = "redis", feature = "zookeeper", feature = "etcd", feature = "memcached"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::backing::{Connected, Connections};
use super::events;

/// The connection to one node.
#[derive(Debug)]
pub(crate) struct Link {
    node: Arc<str>,
    connections: Connections,
    /// It was said that it is down.
    down: AtomicBool,
}

impl Link {
    pub(crate) fn new(node: &Arc<str>) -> Self {
        Self { node: Arc::clone(node), connections: Connections::of(node), down: AtomicBool::new(false) }
    }

    /// It is up, until what is returned is dropped.
    pub(crate) fn up(&self) -> Connected<'_> {
        if self.down.swap(false, Ordering::SeqCst) {
            events::node_up_again(&self.node);
        }
        self.connections.connected()
    }

    /// It has broken, or another attempt has failed.
    pub(crate) fn failed(&self, reason: &str) {
        if self.down.swap(true, Ordering::SeqCst) {
            events::connection_attempt_failed(&self.node, reason);
        } else {
            events::node_down(&self.node, reason);
        }
    }
}
