//! A run of the chaos command: a fleet, clients in processes of their own, faults, and the oracle over all that was written
//! down.

mod options;
mod stop;
mod summary;

pub use options::{Faults, Options};
pub use summary::Summary;
