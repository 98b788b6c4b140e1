//! Faults, histories and benchmarks on real servers.

pub mod bench;
mod clock_shim;
pub mod oracle;
pub mod rivals;
pub mod support;
pub mod traffic;

pub use clock_shim::clock_shim;
