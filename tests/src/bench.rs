//! The `bench` command: what is compared, how it is measured, and how it is reported.
//!
//! A new benchmark is a file with a `run` function, and a line in `src/bin/bench.rs`.
//! A new thing to measure is a [`contender::Contender`].

pub mod bare_fred;
pub mod contender;
pub mod handover;
pub mod io_thread;
pub mod machine;
pub mod ours;
pub mod place;
pub mod starvation;
pub mod stats;
pub mod stores;
pub mod table;
pub mod uncontended;
pub mod yardstick;

use std::error::Error;

/// What a benchmark returns; any error ends the command.
pub type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;
