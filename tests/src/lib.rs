//! Faults, histories and benchmarks on real servers.

pub mod bench;
pub mod chaos;
mod clock_shim;
pub mod fault;
pub mod fleet;
pub mod history;
pub mod hostile;
pub mod marked;
pub mod model;
pub mod mutants;
pub mod network;
pub mod oracle;
pub mod python;
pub mod report;
pub mod resource;
pub mod rivals;
pub mod scenarios;
pub mod simulation;
pub mod soak;
pub mod support;
pub mod traffic;
pub mod worker;

pub use clock_shim::{built_clock_shim, clock_shim};
