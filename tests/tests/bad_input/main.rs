//! Settings, servers and files that cannot be used: a typed error that names what is wrong, and no panic.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod files;
mod servers;
mod settings;

use futures::executor::block_on;
use redlock::{BuildError, Locks, LocksBuilder};

fn refused(builder: LocksBuilder) -> BuildError {
    block_on(builder.build()).unwrap_err()
}

fn urls<const N: usize>(urls: [&str; N]) -> LocksBuilder {
    Locks::builder().restart_guard(false).nodes(urls)
}
