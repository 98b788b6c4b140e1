//! From a configuration to nodes.

use std::path::Path;

use crate::builder::{BuildError, LocksBuilder, NodeConfig};
use crate::locks::Locks;

use super::Config;

impl Config {
    /// A builder with the nodes and settings of this configuration; nothing is connected yet.
    ///
    /// # Errors
    /// [`BuildError::NotBuilt`] if this program was built without the cargo feature of the backend.
    pub fn into_builder(self) -> Result<LocksBuilder, BuildError> {
        for node in &self.nodes {
            #[allow(irrefutable_let_patterns, reason = "a build without backends has no others")]
            if let NodeConfig::NotBuilt(feature) = node {
                return Err(BuildError::NotBuilt { feature });
            }
        }
        let builder = LocksBuilder::with_settings(self.settings);
        Ok(self.nodes.into_iter().fold(builder, LocksBuilder::with_node))
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
