//! The commands as people and programs run them: the real binary, on real servers.
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy's allowance for tests does not reach their helpers.

mod binary;
mod demo;
mod demo_view;
mod doctor;
mod init;
mod man;
mod nodes;
mod run;
mod status;
mod terminal;
