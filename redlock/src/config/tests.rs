//! Whole files and environments: what they mean, and what they are refused for.

mod accepted;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "file")]
mod file;
mod leaks;
#[cfg(feature = "memcached")]
mod memcache;
mod refused;
#[cfg(feature = "zookeeper")]
mod zookeeper;

use std::path::Path;

use super::*;
use crate::backend::redis::RedisConfig;

/// As if `etc.toml` had this text.
fn load(text: &str) -> Result<Config, ConfigError> {
    Config::from_toml_str(text, Path::new("etc.toml"))
}

/// The one Redis that a configuration has, or each of several.
fn redlock(text: &str) -> Vec<RedisConfig> {
    let master = |node| match node {
        NodeConfig::Redis(node) => *node,
        other => panic!("expected a Redis, found {other:?}"),
    };
    load(text).unwrap().nodes.into_iter().map(master).collect()
}
