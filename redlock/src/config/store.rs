//! Where the locks are kept: one kind of table for each backend.

use std::path::Path;

use super::document::Table;
use super::error::ConfigError;
#[cfg(feature = "redis")]
use super::redis;
#[cfg(feature = "redis")]
use crate::backend::redis::RedisConfig;

/// A table that `[lock]` may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Redlock,
    Redis,
    Memory,
}

impl Backend {
    pub(super) const ALL: [Self; 3] = [Self::Redlock, Self::Redis, Self::Memory];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Redlock => "redlock",
            Self::Redis => "redis",
            Self::Memory => "memory",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// The keys of its table besides those that every table has.
    pub(super) const fn own_keys(self) -> &'static [&'static str] {
        match self {
            Self::Redlock => {
                &["nodes", "db", "username", "password", "caFile", "certFile", "keyFile", "trustAof"]
            }
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
            Self::Memory => &[],
        }
    }
}

/// Where the locks are kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Store {
    /// Independent Redis masters, at least one.
    #[cfg(feature = "redis")]
    Redlock { nodes: Vec<RedisConfig> },
    /// One Redis, or a Cluster, as due uses it.
    #[cfg(feature = "redis")]
    Redis { node: Box<RedisConfig> },
    /// Redis, of which this build knows nothing.
    #[cfg(not(feature = "redis"))]
    Redis,
    /// A table in this process.
    Memory,
}

impl Store {
    /// Reads the table of `backend`. Relative paths of files begin in `folder`.
    #[cfg_attr(not(feature = "redis"), expect(unused_variables, reason = "only Redis has files"))]
    pub(super) fn read(table: &Table<'_>, backend: Backend, folder: &Path) -> Result<Self, ConfigError> {
        match backend {
            #[cfg(feature = "redis")]
            Backend::Redlock => Ok(Self::Redlock { nodes: redis::read_nodes(table, folder)? }),
            #[cfg(feature = "redis")]
            Backend::Redis => Ok(Self::Redis { node: Box::new(redis::read_node(table, folder)?) }),
            #[cfg(not(feature = "redis"))]
            Backend::Redlock | Backend::Redis => Ok(Self::Redis),
            Backend::Memory => {
                // Its names need no prefix: nobody else sees them. Checked, and without effect.
                table.get("prefix").map(|entry| entry.text()).transpose()?;
                Ok(Self::Memory)
            }
        }
    }
}
