//! What the lock's public API promises, on real servers.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod blocking;
mod cancellation;
mod contenders;
mod described;
mod explicit;
mod handing_over;
mod limits;
mod names;
mod run;
mod runtimes;
mod shutdown;
