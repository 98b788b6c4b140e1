//! Faults, histories and benchmarks on real servers.

pub mod bench;
pub mod support;
