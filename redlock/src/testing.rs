//! For tests, never for production: real servers on this machine, a virtual environment, faults.

pub mod conformance;
pub mod faulty;
pub mod pure;
mod real_env;
pub mod servers;
pub mod virtual_env;

pub use real_env::real_env;

/// The owner token under which nodes know this hold: several holds of one process have the same one after the other where a
/// lock is handed over without the network.
pub fn owner_of(held: &crate::Held) -> crate::OwnerToken {
    held.owner()
}
