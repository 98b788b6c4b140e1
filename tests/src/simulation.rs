//! The real driver, locks, renewal and guards on virtual time, over nodes, clocks and a network that misbehave: one seed a run.
//!
//! A run draws everything from its seed: its plan, how many nodes and clients there are and how each client is configured, what
//! goes wrong, and every single delay. The same seed is the same run, to the last event; [`Outcome::trace`] shows it. What
//! must hold is judged by [invariants](#how-to-add-to-it) that see every event, with the true time at hand that no client knows.
//!
//! # How to add to it
//! A new mechanism (another store, a hand-off) adds three small files, none of which knows of the others:
//!
//! - **A plan** in `plans/`: a `Plan` with a name, a `setting` that draws the world (start from `quiet` and depart from it),
//!   and a `course` (the listed `troubles`, or a script of its own with `take`, `give_back` and `forget`). List it in
//!   `plans::ALL`: seeds take turns in the plans.
//! - **An invariant** in `invariants/`: implement `Invariant`, which sees every `Event` before (`see`) and behind (`look`)
//!   its change to the `Scene`, and returns what is wrong. List it in `invariants::all`. Excuse nothing silently: `is_excused`
//!   is for holds whose clock stood still or whose nodes' clocks were set as one.
//! - **A situation** in `situations/`: implement `Situation`, declare its names in `SITUATIONS`, list both in `situations.rs`.
//!   What is counted where it is made (`ledger.count`) is declared there. A set of runs fails that never came to one of them.
//!
//! Several tasks of one client make a line (`Profile::tasks`): a lease then goes from one hold to the next.
//! An invariant knows by `Hold::handed` how many holds of the same lease there were before, and by `Hold::let_go` whose are over.
//!
//! Leaderships are no holds: an `Office` is one, from `Event::Led` to `Event::WorkEnded`. `candidates.rs` campaigns and works.
//!
//! If clients do something new, `life.rs` does it; if something new goes wrong, it is a `Trouble`; if something new can be seen,
//! it is an `Event`. Then switch the mechanism's safeguard off: a plan that does not notice proves nothing.
//!
//! # Limits
//! Nodes are tables in memory with a marker, not Redis. Of a message's duplicates none is overtaken by what was sent later (no
//! client sends anything twice). Who campaigns has a clock that does not stand still, and nodes whose clocks nobody sets. In `clocks` all clients set the same share aside for drift.

mod candidates;
mod event;
mod invariants;
mod ledger;
mod life;
mod many;
mod office;
mod outcome;
mod plans;
mod record;
mod run;
mod scene;
mod script;
mod sets;
mod setting;
mod situations;
mod spy;
mod troubles;
mod watched;
mod world;

pub use many::{Summary, first_violation, first_violation_in, plan_names, run_many, run_many_in};
pub use outcome::{Outcome, Run, Violation, command};
pub use record::Record;
pub use run::run;
