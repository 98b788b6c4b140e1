//! Mutants: the library with one safeguard switched off, against every layer of the proof. A layer that kills none proves
//! nothing, and a mutant that survives everywhere is a safeguard that nobody needs, or that nobody tests.

mod scripted;

pub use scripted::{Play, SCRIPTED};

/// Safeguards that the virtual world has nothing for: shown on real servers alone.
pub const ON_REAL_SERVERS: &[&str] = &["settle_everywhere", "sentinel_majority"];
