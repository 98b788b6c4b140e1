//! The settings of one node of any kind, and the node that they make. Only here does one place know every backend.

use std::sync::Arc;

use super::error::BuildError;
use crate::env::Env;
use crate::node::Node;
use crate::protections::Protections;
use crate::settings::Settings;

#[cfg(feature = "etcd")]
use crate::backend::etcd::{EtcdConfig, EtcdNode};
#[cfg(feature = "file")]
use crate::backend::file::{FileConfig, FileNode};
#[cfg(feature = "memcached")]
use crate::backend::memcached::{MemcachedConfig, MemcachedNode};
#[cfg(feature = "memory")]
use crate::backend::memory::MemoryNode;
#[cfg(feature = "redis")]
use crate::backend::redis::{self, RedisConfig};
#[cfg(feature = "zookeeper")]
use crate::backend::zookeeper::{ZooKeeperConfig, ZooKeeperNode};

/// One node to be. Nothing has been connected to. `Debug` shows no password.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeConfig {
    #[cfg(feature = "redis")]
    Redis(Box<RedisConfig>),
    #[cfg(feature = "memcached")]
    Memcached(Box<MemcachedConfig>),
    #[cfg(feature = "etcd")]
    Etcd(Box<EtcdConfig>),
    #[cfg(feature = "zookeeper")]
    ZooKeeper(Box<ZooKeeperConfig>),
    #[cfg(feature = "file")]
    File(Box<FileConfig>),
    #[cfg(feature = "memory")]
    Memory,
    /// A backend that this build knows nothing of; the cargo feature that it needs.
    NotBuilt(&'static str),
}

/// The schemes of URLs, and the cargo feature that each needs.
const SCHEMES: &[(&str, &str)] = &[
    ("redis", "redis"),
    ("rediss", "redis"),
    ("memcached", "memcached"),
    ("memcacheds", "memcached"),
    ("etcd", "etcd"),
    ("etcds", "etcd"),
    ("zookeeper", "zookeeper"),
    ("zookeepers", "zookeeper"),
    ("file", "file"),
];

/// The cargo feature of the backend that a URL's scheme stands for; `None` if it stands for none. What has no scheme is Redis.
pub(crate) fn backend_of(url: &str) -> Option<&'static str> {
    match url.split_once("://") {
        None => Some("redis"),
        Some((scheme, _)) => {
            SCHEMES.iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known)).map(|&(_, feature)| feature)
        }
    }
}

impl NodeConfig {
    /// Reads a URL; its scheme says which backend. An unknown one is Redis' to complain of.
    pub(crate) fn from_url(url: &str) -> Result<Self, BuildError> {
        Ok(match backend_of(url) {
            #[cfg(feature = "memcached")]
            Some("memcached") => Self::Memcached(Box::new(MemcachedConfig::from_url(url)?)),
            #[cfg(feature = "etcd")]
            Some("etcd") => Self::Etcd(Box::new(EtcdConfig::from_url(url)?)),
            #[cfg(feature = "zookeeper")]
            Some("zookeeper") => Self::ZooKeeper(Box::new(ZooKeeperConfig::from_url(url)?)),
            #[cfg(feature = "file")]
            Some("file") => Self::File(Box::new(FileConfig::from_url(url)?)),
            #[cfg(feature = "redis")]
            Some("redis") | None => Self::Redis(Box::new(RedisConfig::from_url(url)?)),
            Some(feature) => Self::NotBuilt(feature),
            #[cfg(not(feature = "redis"))]
            None => Self::NotBuilt("redis"),
        })
    }

    /// With this prefix of keys, where the store is shared with others.
    #[allow(unused_variables, reason = "a build without backends has no keys")]
    pub(crate) fn prefix(self, prefix: &str) -> Self {
        match self {
            #[cfg(feature = "redis")]
            Self::Redis(config) => Self::Redis(Box::new(config.prefix(prefix))),
            #[cfg(feature = "memcached")]
            Self::Memcached(config) => Self::Memcached(Box::new(config.prefix(prefix))),
            #[cfg(feature = "etcd")]
            Self::Etcd(config) => Self::Etcd(Box::new(config.prefix(prefix))),
            #[cfg(feature = "zookeeper")]
            Self::ZooKeeper(config) => Self::ZooKeeper(Box::new(config.prefix(prefix))),
            #[cfg(feature = "file")]
            Self::File(config) => Self::File(Box::new(config.prefix(prefix))),
            #[cfg(feature = "memory")]
            Self::Memory => Self::Memory,
            Self::NotBuilt(feature) => Self::NotBuilt(feature),
        }
    }

    /// What it does not say itself, of credentials and TLS, is as for another one, if both are Redis.
    #[allow(unused_variables, reason = "a build without Redis or configuration has nothing to complete")]
    pub(crate) fn completed_by(self, other: &Self) -> Self {
        match (self, other) {
            #[cfg(all(feature = "redis", feature = "config"))]
            (Self::Redis(config), Self::Redis(other)) => Self::Redis(Box::new(config.completed_by(other))),
            (config, _) => config,
        }
    }

    /// Where it is, without credentials.
    #[cfg(all(feature = "config", feature = "redis"))]
    pub(crate) fn address(&self) -> String {
        match self {
            #[cfg(feature = "redis")]
            Self::Redis(config) => config.address(),
            #[cfg(feature = "memcached")]
            Self::Memcached(config) => config.address(),
            #[cfg(feature = "etcd")]
            Self::Etcd(config) => config.address(),
            #[cfg(feature = "zookeeper")]
            Self::ZooKeeper(config) => config.address(),
            #[cfg(feature = "file")]
            Self::File(config) => config.address(),
            #[cfg(feature = "memory")]
            Self::Memory => "memory".to_owned(),
            Self::NotBuilt(feature) => (*feature).to_owned(),
        }
    }

    /// Begins to connect. `index` tells nodes in this process apart.
    #[allow(
        unused_variables,
        unreachable_code,
        reason = "no kind of node needs all of it, and a build without backends nothing"
    )]
    pub(crate) fn start(
        &self,
        index: usize,
        env: &Arc<dyn Env>,
        settings: &Settings,
        protections: Protections,
    ) -> Result<Arc<dyn Node>, BuildError> {
        let env = Arc::clone(env);
        Ok(match self {
            #[cfg(feature = "redis")]
            Self::Redis(config) => redis::start(guarded((**config).clone(), settings), env, protections)?,
            #[cfg(feature = "memcached")]
            Self::Memcached(config) => {
                if config.is_sharded() && settings.restart_guard {
                    crate::telemetry::events::sharded_unguarded(&config.address());
                }
                let config = (**config).clone().restart_guard(settings.restart_guard);
                MemcachedNode::start(config, env, protections)?
            }
            #[cfg(feature = "etcd")]
            Self::Etcd(config) => EtcdNode::start((**config).clone(), env, protections)?,
            #[cfg(feature = "zookeeper")]
            Self::ZooKeeper(config) => {
                let config = (**config).clone().longest_ttl(settings.max_ttl.get());
                ZooKeeperNode::start(config, env, protections)?
            }
            #[cfg(feature = "file")]
            Self::File(config) => FileNode::start((**config).clone(), env, protections)?,
            #[cfg(feature = "memory")]
            Self::Memory => MemoryNode::start(format!("memory-{index}"), env, protections),
            Self::NotBuilt(feature) => return Err(BuildError::NotBuilt { feature }),
        })
    }
}

/// With the guard of this `Locks`.
#[cfg(feature = "redis")]
fn guarded(config: RedisConfig, settings: &Settings) -> RedisConfig {
    if config.is_cluster() {
        if settings.restart_guard {
            crate::telemetry::events::cluster_unguarded(&config.address());
        }
        return config;
    }
    config.restart_guard(settings.restart_guard).trust_aof(settings.trust_aof)
}
