//! Whole files and environments: what they mean, and what they are refused for.

mod accepted;
mod leaks;
mod refused;

use std::path::Path;

use super::*;
use crate::backend::redis::RedisConfig;

/// As if `etc.toml` had this text.
fn load(text: &str) -> Result<Config, ConfigError> {
    Config::from_toml_str(text, Path::new("etc.toml"))
}

fn redlock(text: &str) -> Vec<RedisConfig> {
    match load(text).unwrap().store {
        Store::Redlock { nodes } => nodes,
        other => panic!("expected [lock.redlock], found {other:?}"),
    }
}
