//! Clocks: servers whose wall clock is stepped and slewed, and clients whose machine sleeps.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod machine_sleep;
mod node_clocks;
mod server_clock;
mod stopped_holder;
mod time_namespace;
