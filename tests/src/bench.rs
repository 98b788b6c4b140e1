//! The `bench` command: what is compared, how it is measured, and how it is reported.
//!
//! A new benchmark is a file with a function `run` that returns a [`section::Section`], a few lines in `src/bin/bench.rs`, and
//! a pair of marks in `docs/performance.md`. A new thing to measure is a [`contender::Contender`].

pub mod bare_fred;
pub mod contender;
pub mod contenders;
pub mod contention;
pub mod document;
pub mod draw;
pub mod failover;
pub mod figures;
pub mod groups;
pub mod hung;
pub mod io_thread;
pub mod latency;
pub mod machine;
pub mod nodes;
pub mod one_key;
pub mod ours;
mod peer_process;
pub mod peers;
pub mod place;
pub mod plot;
pub mod progress;
pub mod renewal;
pub mod rslock;
pub mod section;
pub mod starvation;
pub mod stats;
pub mod stores;
pub mod table;
pub mod throughput;
mod ticks;
pub mod usage;
pub mod yardstick;

use std::error::Error;

/// What a benchmark returns; any error ends the command.
pub type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;
