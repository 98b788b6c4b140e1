//! Locks that are shared with other libraries on the same servers: rslock, and redlock-py and pottery for Python.
//!
//! The Python libraries are installed from PyPI by the first run, into a directory under `target`. That takes Python 3.10 or
//! later with `venv`, and the network.
//!
//! `REDLOCK_INTEROP_TIMES=10 cargo nextest run -p redlock-tests --all-features --test interop contention` takes ten times as
//! many turns.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod contention;
mod exclusion;
mod mistakes;
mod python;
mod rivals;
