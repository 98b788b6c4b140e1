//! From a configuration to nodes.

use std::path::Path;

use crate::builder::{BuildError, LocksBuilder};
use crate::locks::Locks;

use super::{Config, Store};

impl Config {
    /// A builder with the nodes and settings of this configuration; nothing is connected yet.
    ///
    /// # Errors
    /// [`BuildError::NotBuilt`] if this program was built without the cargo feature of the backend.
    #[cfg_attr(
        not(any(feature = "redis", feature = "memory")),
        expect(unused_variables, reason = "nothing can be built")
    )]
    pub fn into_builder(self) -> Result<LocksBuilder, BuildError> {
        let builder = LocksBuilder::with_settings(self.settings);
        match self.store {
            #[cfg(feature = "redis")]
            Store::Redlock { nodes } => Ok(nodes.into_iter().fold(builder, LocksBuilder::redis)),
            #[cfg(feature = "redis")]
            Store::Redis { node } => Ok(builder.redis(*node)),
            #[cfg(not(feature = "redis"))]
            Store::Redis => Err(BuildError::NotBuilt { feature: "redis" }),
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

#[cfg(all(test, not(feature = "redis")))]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_redis_is_refused_where_redis_is_not_built_in() {
        for text in ["[lock.redis]", "[lock.redlock]\nnodes = ['a:1']"] {
            let config = Config::from_toml_str(text, Path::new("etc.toml")).unwrap();
            let refused = config.into_builder().unwrap_err();
            assert!(matches!(refused, BuildError::NotBuilt { feature: "redis" }), "{text}: {refused}");
        }
    }
}
