//! Where the locks are kept: one kind of table for each backend.

use std::path::Path;

use super::document::Table;
use super::error::ConfigError;
#[cfg(feature = "etcd")]
use super::etcd;
#[cfg(feature = "file")]
use super::file;
#[cfg(feature = "memcached")]
use super::memcache;
#[cfg(feature = "redis")]
use super::redis;
#[cfg(feature = "zookeeper")]
use super::zookeeper;
use crate::builder::NodeConfig;

/// A table that `[lock]` may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Redlock,
    Redis,
    Memcache,
    Etcd,
    ZooKeeper,
    File,
    Memory,
}

impl Backend {
    pub(super) const ALL: [Self; 7] =
        [Self::Redlock, Self::Redis, Self::Memcache, Self::Etcd, Self::ZooKeeper, Self::File, Self::Memory];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Redlock => "redlock",
            Self::Redis => "redis",
            Self::Memcache => "memcache",
            Self::Etcd => "etcd",
            Self::ZooKeeper => "zookeeper",
            Self::File => "file",
            Self::Memory => "memory",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// The keys of its table besides those that every table has.
    pub(super) const fn own_keys(self) -> &'static [&'static str] {
        match self {
            Self::Redlock => &[
                "nodes", "db", "username", "password", "caFile", "certFile", "keyFile", "trustAof", "nodeSet",
            ],
            Self::Redis => &[
                "addrs",
                "masterName",
                "sentinelUsername",
                "sentinelPassword",
                "db",
                "username",
                "password",
                "caFile",
                "certFile",
                "keyFile",
                "maxRetries",
                "trustAof",
            ],
            Self::Memcache => &["addrs", "username", "password", "caFile", "certFile", "keyFile"],
            Self::Etcd => &["addrs", "username", "password", "caFile", "certFile", "keyFile"],
            Self::ZooKeeper => &[
                "addrs",
                "username",
                "password",
                "caFile",
                "certFile",
                "keyFile",
                "sessionTimeout",
                "touchDelay",
            ],
            Self::File => &["directory"],
            Self::Memory => &[],
        }
    }
}

/// Reads the table of `backend`: its nodes. Relative paths of files begin in `folder`.
#[allow(unused_variables, reason = "a build without backends reads nothing")]
pub(super) fn read(
    table: &Table<'_>,
    backend: Backend,
    folder: &Path,
) -> Result<Vec<NodeConfig>, ConfigError> {
    match backend {
        #[cfg(feature = "redis")]
        Backend::Redlock => redis::read_nodes(table, folder),
        #[cfg(feature = "redis")]
        Backend::Redis => Ok(vec![NodeConfig::Redis(Box::new(redis::read_node(table, folder)?))]),
        #[cfg(not(feature = "redis"))]
        Backend::Redlock | Backend::Redis => Ok(vec![NodeConfig::NotBuilt("redis")]),
        #[cfg(feature = "memcached")]
        Backend::Memcache => Ok(vec![NodeConfig::Memcached(Box::new(memcache::read(table, folder)?))]),
        #[cfg(not(feature = "memcached"))]
        Backend::Memcache => Ok(vec![NodeConfig::NotBuilt("memcached")]),
        #[cfg(feature = "etcd")]
        Backend::Etcd => Ok(vec![NodeConfig::Etcd(Box::new(etcd::read(table, folder)?))]),
        #[cfg(not(feature = "etcd"))]
        Backend::Etcd => Ok(vec![NodeConfig::NotBuilt("etcd")]),
        #[cfg(feature = "zookeeper")]
        Backend::ZooKeeper => Ok(vec![NodeConfig::ZooKeeper(Box::new(zookeeper::read(table, folder)?))]),
        #[cfg(not(feature = "zookeeper"))]
        Backend::ZooKeeper => Ok(vec![NodeConfig::NotBuilt("zookeeper")]),
        #[cfg(feature = "file")]
        Backend::File => Ok(vec![NodeConfig::File(Box::new(file::read(table, folder)?))]),
        #[cfg(not(feature = "file"))]
        Backend::File => Ok(vec![NodeConfig::NotBuilt("file")]),
        Backend::Memory => {
            // Its names need no prefix: nobody else sees them. Checked, and without effect.
            table.get("prefix").map(|entry| entry.text()).transpose()?;
            #[cfg(feature = "memory")]
            let node = NodeConfig::Memory;
            #[cfg(not(feature = "memory"))]
            let node = NodeConfig::NotBuilt("memory");
            Ok(vec![node])
        }
    }
}
