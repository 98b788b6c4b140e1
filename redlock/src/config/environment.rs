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
        (None, Some(urls)) => from_nodes(&urls).map(Some),
    }
}

fn from_nodes(urls: &OsString) -> Result<Config, ConfigError> {
    // The text is not repeated: it may hold passwords.
    let text = urls.to_str().ok_or_else(|| error(NODES, "it is not UTF-8"))?;
    Ok(Config { nodes: nodes(text)?, settings: timing::defaults(Backend::Redlock) })
}

#[cfg(feature = "redis")]
fn nodes(text: &str) -> Result<Vec<NodeConfig>, ConfigError> {
    let urls = urls(text);
    let urls = urls.iter().map(String::as_str);
    // Only what holds for all nodes is taken from it, and none of that is set.
    let defaults = RedisConfig::new("localhost");
    redis::nodes::parse(urls, &defaults)
        .map_err(|refused| ConfigError::new(refused.kind, NODES, refused.problem))
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
fn nodes(_: &str) -> Result<Vec<NodeConfig>, ConfigError> {
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
