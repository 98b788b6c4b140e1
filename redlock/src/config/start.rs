//! From a configuration to nodes: the one place that turns a table into a backend.

use std::path::Path;

use crate::builder::{BuildError, LocksBuilder};
use crate::locks::Locks;

use super::{Config, Store};

impl Config {
    /// A builder with the nodes and settings of this configuration; nothing is connected yet.
    ///
    /// # Errors
    /// [`BuildError::NotBuilt`] if this program was built without the cargo feature of the backend; for Redis also what
    /// its own configuration refuses.
    pub fn into_builder(self) -> Result<LocksBuilder, BuildError> {
        let builder = LocksBuilder::with_settings(self.settings);
        match self.store {
            #[cfg(feature = "redis")]
            Store::Redlock { nodes, access } => nodes
                .iter()
                .try_fold(builder, |builder, node| Ok(builder.redis(redis::of_url(node, &access)?))),
            #[cfg(feature = "redis")]
            Store::Redis { address, access } => Ok(builder.redis(redis::of_address(&address, &access))),
            #[cfg(not(feature = "redis"))]
            Store::Redlock { .. } | Store::Redis { .. } => Err(BuildError::NotBuilt { feature: "redis" }),
            #[cfg(feature = "memory")]
            Store::Memory => Ok(builder.memory()),
            #[cfg(not(feature = "memory"))]
            Store::Memory => Err(BuildError::NotBuilt { feature: "memory" }),
        }
    }
}

impl Locks {
    /// Reads a configuration file and connects: [`Config::from_file`], then [`LocksBuilder::build`].
    ///
    /// # Errors
    /// [`BuildError`] names the file and key, or the node, and what was expected.
    pub async fn from_toml(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        Config::from_file(path)?.into_builder()?.build().await
    }
}

#[cfg(feature = "redis")]
mod redis {
    use super::super::{Address, NodeUrl, RedisAccess};
    use crate::backend::redis::{RedisConfig, RedisConfigError, TlsFiles};

    /// A node of `[lock.redlock]`. What its URL says itself goes before what the table says for all.
    pub(super) fn of_url(node: &NodeUrl, access: &RedisAccess) -> Result<RedisConfig, RedisConfigError> {
        let mut config = RedisConfig::from_url(node.expose())?;
        if node.db.is_none() {
            config = config.db(access.db.into());
        }
        Ok(with_access(config, access, !node.has_credentials))
    }

    pub(super) fn of_address(address: &Address, access: &RedisAccess) -> RedisConfig {
        let config = RedisConfig::new(&address.host).port(address.port).db(access.db.into());
        with_access(config, access, true)
    }

    fn with_access(mut config: RedisConfig, access: &RedisAccess, log_in: bool) -> RedisConfig {
        config = config.prefix(&access.prefix);
        if let Some(credentials) = access.credentials.as_ref().filter(|_| log_in) {
            if let Some(username) = &credentials.username {
                config = config.username(username);
            }
            config = config.password(credentials.password.expose());
        }
        if let Some(files) = &access.tls {
            let mut tls = TlsFiles::platform();
            tls.ca.clone_from(&files.ca);
            if let Some(identity) = &files.identity {
                tls = tls.cert(&identity.cert).key(&identity.key);
            }
            config = config.tls(tls);
        }
        config
    }
}
