//! A distributed lock for critical services: a quorum over independent Redis masters (Redlock).
#![deny(missing_docs)]

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "redlock needs a clock that counts the time a machine sleeps; it knows those of Linux and macOS only"
);

pub mod backend;
pub mod blocking;
#[cfg(feature = "config")]
pub mod config;
pub mod env;
pub mod node;
#[cfg(feature = "testing")]
pub mod testing;

mod builder;
mod driver;
mod error;
mod guard;
mod id;
mod lease;
mod lock;
mod locks;
mod protections;
mod queue;
mod quorum;
mod renewal;
mod settings;

pub use builder::{BuildError, LocksBuilder};
pub use error::{AcquireError, ExtendError, LostReason, NodeReport, NodeVote, ReleaseError, RunError};
pub use guard::{Held, LockGuard};
pub use id::{FencingToken, Instant, InvalidName, InvalidTtl, LockName, OwnerToken, Ttl};
pub use lease::LockState;
pub use lock::Lock;
pub use locks::{Locks, ShutdownReport};
#[cfg(feature = "testing")]
pub use protections::Protections;
pub use quorum::{DriftFactor, InvalidDriftFactor, InvalidQuorum, Quorum};
