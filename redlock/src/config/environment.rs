//! The environment variables that stand for a configuration.

use std::ffi::OsString;
use std::path::Path;

use super::error::{ConfigError, ConfigErrorKind};
#[cfg(feature = "redis")]
use super::redis;
use super::store::Backend;
use super::{Config, timing};
#[cfg(feature = "redis")]
use crate::backend::redis::RedisConfig;
use crate::builder::NodeConfig;
#[cfg(feature = "redis")]
use crate::builder::backend_of;

const CONFIG: &str = "REDLOCK_CONFIG";
const NODES: &str = "REDLOCK_NODES";
const NODE_SET: &str = "REDLOCK_NODE_SET";

/// What the variables say, as `lookup` finds them.
pub(super) fn load(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Option<Config>, ConfigError> {
    match (lookup(CONFIG), lookup(NODES)) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(error(CONFIG, format!("{NODES} is set too; set only one of them"))),
        // Set and empty is a mistake in whatever has set it, and must not mean "without a configuration".
        (Some(path), None) if path.is_empty() => {
            Err(error(CONFIG, "it is set but empty; expected the path of a file"))
        }
        (Some(path), None) => Config::from_file(Path::new(&path)).map(Some),
        (None, Some(urls)) => {
            // The text is not repeated: it may hold passwords.
            let text = urls.to_str().ok_or_else(|| error(NODES, "it is not UTF-8"))?;
            let mut config = from_nodes(text, NODES)?;
            if let Some(number) = lookup(NODE_SET) {
                let number = number.to_str().and_then(|number| number.parse().ok());
                config.settings.node_set =
                    number.ok_or_else(|| error(NODE_SET, "expected a number from 0 up"))?;
            }
            Ok(Some(config))
        }
    }
}

/// What a list of nodes says that `origin` is the name of.
pub(super) fn from_nodes(text: &str, origin: &str) -> Result<Config, ConfigError> {
    Ok(Config { nodes: nodes(text, origin)?, settings: timing::defaults(Backend::Redlock) })
}

#[cfg(feature = "redis")]
fn nodes(text: &str, origin: &str) -> Result<Vec<NodeConfig>, ConfigError> {
    let urls = urls(text);
    let urls = urls.iter().map(String::as_str);
    // Only what holds for all nodes is taken from it, and none of that is set.
    let defaults = RedisConfig::new("localhost");
    redis::nodes::parse(urls, &defaults)
        .map_err(|refused| ConfigError::new(refused.kind, origin, refused.problem))
}

/// The URLs of a list with commas or spaces between them. Commas also stand between the members of an ensemble, which have no
/// scheme of their own.
#[cfg(feature = "redis")]
fn urls(text: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for list in text.split_whitespace() {
        let mut ensemble = false;
        for piece in list.split(',').filter(|piece| !piece.is_empty()) {
            match urls.last_mut().filter(|_| ensemble && !piece.contains("://")) {
                Some(url) => {
                    url.push(',');
                    url.push_str(piece);
                }
                None => {
                    ensemble = matches!(backend_of(piece), Some("etcd" | "zookeeper"));
                    urls.push(piece.to_owned());
                }
            }
        }
    }
    urls
}

#[cfg(not(feature = "redis"))]
fn nodes(_: &str, _: &str) -> Result<Vec<NodeConfig>, ConfigError> {
    Ok(vec![NodeConfig::NotBuilt("redis")])
}

fn error(variable: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Environment, variable, problem)
}

#[cfg(all(test, feature = "redis"))]
mod tests {
    use super::urls;

    #[test]
    fn commas_separate_nodes_and_the_members_of_an_ensemble() {
        assert_eq!(urls("a:1,redis://b, c\td,,"), ["a:1", "redis://b", "c", "d"]);
        assert_eq!(
            urls("redis://a,etcd://b:1,c:2,zookeeper://d,e f,redis://g"),
            ["redis://a", "etcd://b:1,c:2", "zookeeper://d,e", "f", "redis://g"]
        );
    }
}
