//! Who waits for a lock is woken when it becomes free, whoever frees it, and asks little meanwhile.
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy's allowance for tests does not reach their helpers.

mod cost;
mod faults;
mod release;
mod virtual_time;
mod watched;
