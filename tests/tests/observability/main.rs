//! What the library tells operators, on real servers: metrics, events and spans, against the tables of `docs/operations.md`.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod journal;
mod once;
mod page;
mod recorder;
mod scenarios;
mod secrets;
mod stage;
mod tables;
