//! What can be put on the yardstick.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::Result;

/// How long the two halves of one cycle took.
#[derive(Clone, Copy, Debug)]
pub struct Cycle {
    /// From the call until the lock is held.
    pub acquire: Duration,
    /// From the call until a majority has confirmed that the lock is gone.
    pub release: Duration,
}

/// A connected client that can acquire and release a lock.
pub trait Contender: Send + Sync + 'static {
    /// Acquires and releases the lock `name` once; nobody else wants it.
    ///
    /// # Errors
    /// Whatever keeps the lock from being held or from being released; the benchmark then ends.
    fn cycle<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Cycle>>;
}

/// Connects a contender to the nodes; runs on the runtime that is to do its I/O.
pub type Connect = fn(Vec<String>) -> BoxFuture<'static, Result<Arc<dyn Contender>>>;
