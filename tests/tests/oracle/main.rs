//! Forged histories: each rule finds what breaks it, and nothing that merely looks like it.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod exclusion;
mod figures;
mod forge;
mod form;
mod journal;
mod loss;
mod properties;
mod terms;
mod the_end;
mod tokens;
