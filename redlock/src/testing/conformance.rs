//! A suite of checks for every backend: each clause of the contract of [`Node`](crate::node::Node), by name.
//!
//! A backend of your own passes it, or is not a node. The suite says which clause is broken, what was expected and what was
//! found. It needs no runtime, no server of ours, and no wall clock: time passes as the subject's [`Env`](crate::env::Env) has it.
//!
//! # How to use it
//! Say how to reach **one store**: a function that makes a new client of it. The suite calls it several times: twice for one
//! namespace (a prefix of keys, of random lower-case letters, digits and hyphens), since most clauses are about two clients of
//! one store, and once for another.
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//!
//! use redlock::backend::memory::MemoryNode;
//! use redlock::testing::{conformance, real_env};
//!
//! # fn main() -> std::io::Result<()> {
//! let env = real_env()?;
//! // A table in memory is its own store: one for each namespace. A client of a server would set its prefix instead.
//! let tables = Mutex::new(HashMap::<String, Arc<MemoryNode>>::new());
//! let of_nodes = env.clone();
//! let subject = conformance::Subject::new(env, move |namespace: &str| {
//!     let mut tables = tables.lock().expect("nobody panics under it");
//!     let new = || MemoryNode::new("memory", of_nodes.clone());
//!     tables.entry(namespace.to_owned()).or_insert_with(new).clone()
//! });
//!
//! conformance::assert_conforms(&subject);
//! # Ok(())
//! # }
//! ```
//!
//! [`run`] returns the [`Report`] instead, and [`suite`] the single [`Check`]s. Checks on one store run side by side, each on
//! names of its own; those that disturb the store (see [`Subject::pausing`]) run one after the other behind them. On a store
//! that keeps TTLs to the second the suite takes a few seconds, elsewhere less than one.
//!
//! # What it does to the store
//! It takes and releases names in its namespaces, leaves fencing counters behind, takes some counters to their end, and
//! changes the marker of a node that has one (as an operator would who says that nobody holds a lock). Use a store that
//! serves nobody else and is thrown away afterwards.
//!
//! # What it does not show
//! Safety under faults that nobody can cause from here: lost replies, a server that forgets what it has confirmed, clocks that
//! jump. A store that passes keeps the contract while it works; that its promises about durability are true is for tests of
//! its own.

mod bench;
mod check;
mod client;
mod deadlines;
mod describing;
mod extending;
mod fencing;
mod holding;
mod looking;
mod memory;
mod names;
mod releasing;
mod report;
mod sending;
mod silence;
mod stage;
mod subject;
mod watching;

pub use check::{Check, Need, Outcome};
pub use report::{Entry, Report};
pub use subject::Subject;

/// Every check, in the order in which they are reported.
pub fn suite() -> Vec<Check> {
    [
        holding::checks(),
        extending::checks(),
        releasing::checks(),
        deadlines::checks(),
        sending::checks(),
        fencing::checks(),
        looking::checks(),
        describing::checks(),
        names::checks(),
        watching::checks(),
        silence::checks(),
        memory::checks(),
    ]
    .concat()
}

/// Runs every check on `subject`. Blocks until all have ended; a check that hangs is given up after a minute of the
/// subject's time.
///
/// On real time the checks run on a thread of their own that knows no async runtime, so this may be called from anywhere.
pub fn run(subject: &Subject) -> Report {
    stage::run(subject, suite())
}

/// Runs every check on `subject`, for a `#[test]`.
///
/// # Panics
/// With the whole report if a check has failed.
#[track_caller]
pub fn assert_conforms(subject: &Subject) {
    run(subject).assert_ok();
}
