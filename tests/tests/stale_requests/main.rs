//! A server that was stopped runs, when it goes on, what has queued up: nothing of that may take a lock for a client that
//! has given up, and every release of it must count.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod dead_client;
mod in_time;
mod one_node;
mod one_node_releases;
mod quorum;
mod single_holder;
mod stopped;

/// What becomes of a client's connection while its server stands still.
#[derive(Debug, Clone, Copy)]
enum Line {
    /// It is still up when the server goes on.
    Kept,
    /// The library has closed it, because requests waited and nothing was answered for a second.
    GivenUp,
}
