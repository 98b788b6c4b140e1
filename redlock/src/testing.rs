//! For tests, never for production: real servers on this machine, a virtual environment, faults.

pub mod conformance;
pub mod faulty;
mod real_env;
pub mod servers;
pub mod virtual_env;

pub use real_env::real_env;
