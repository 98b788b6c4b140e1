//! skeleton
#![deny(missing_docs)]
#![allow(dead_code, unused_imports)]

pub mod backend;
pub mod env;
mod id;
pub mod node;
mod protections;
mod quorum;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "testing")]
pub use protections::Protections;
pub use quorum::{DriftFactor, InvalidDriftFactor, InvalidQuorum, Quorum};
#[cfg(feature = "config")]
pub mod config;
pub use id::{Instant, InvalidName, InvalidTtl, LockName, OwnerToken, Ttl};
