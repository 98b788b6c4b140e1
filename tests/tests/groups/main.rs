//! Locks over several groups of nodes: who has which name, and how groups change without two holders.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod change;
mod choice;
mod errors;
mod ledger;
mod servers;
mod two_groups;
mod world;
