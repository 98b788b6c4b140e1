//! Clients in processes of their own, on real servers: what they write down is judged.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod ending;
mod fencing;
mod handing_over;
mod resource;
mod strikes;
mod world;
