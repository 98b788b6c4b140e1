//! Leader election: on virtual time where it is about time, and on real servers of every kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod backends;
mod campaigns;
mod observers;
mod overrun;
mod redis;
mod running;
mod takeover;
mod world;
