//! Nodes that forget and whose clocks are wrong, and locks that are given back to them: one case each, on virtual time.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod clocks;
mod memories;
mod restore;
mod world;
