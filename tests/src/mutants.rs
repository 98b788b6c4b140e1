//! Mutants: the library with one safeguard switched off, against every layer of the proof. A layer that kills none proves
//! nothing, and a mutant that survives everywhere is a safeguard that nobody needs, or that nobody tests.

mod layer;
mod scripted;
mod table;

pub use layer::{Effort, Fate, Layer, layers};
pub use scripted::{Play, SCRIPTED};
pub use table::Table;

/// Safeguards that the virtual world has nothing for: shown on real servers alone.
pub const ON_REAL_SERVERS: &[&str] = &["settle_everywhere", "sentinel_majority"];
