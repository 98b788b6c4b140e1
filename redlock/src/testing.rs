//! For tests, never for production: real servers on this machine, a virtual environment, faults.

pub mod faulty;
pub mod servers;
pub mod virtual_env;
