//! The nodes of `[lock.redlock]`: a majority needs them to be different servers.

use crate::Quorum;
use crate::backend::redis::RedisConfig;
use crate::builder::{NodeConfig, backend_of};
use crate::config::document::Table;
use crate::config::error::{ConfigError, ConfigErrorKind};

/// What an address must be, for error messages.
pub(super) const ADDRESS_EXPECTED: &str =
    "expected host:port, where an IPv6 address is in brackets as in \"[::1]:6379\"";

/// `common` is what the table says about all of them.
pub(super) fn read(table: &Table<'_>, common: &RedisConfig) -> Result<Vec<NodeConfig>, ConfigError> {
    let Some(entry) = table.get("nodes") else {
        let problem = "there are no nodes; expected nodes = [\"redis://host:port\", ...], five of them tolerate \
                       two failures";
        return Err(table.error(ConfigErrorKind::Incomplete, problem).at_key("nodes"));
    };
    let texts = entry.texts()?;
    parse(texts.iter().map(|&(text, _)| text), common).map_err(|refused| {
        let error = entry.error(refused.kind, refused.problem);
        match texts.get(refused.index) {
            Some(&(_, line)) => error.on_line(line),
            None => error,
        }
    })
}

/// Nodes that are all different. What a URL says itself goes before what `common` says.
pub(in crate::config) fn parse<'a>(
    texts: impl Iterator<Item = &'a str>,
    common: &RedisConfig,
) -> Result<Vec<NodeConfig>, InvalidNodes> {
    let mut nodes: Vec<NodeConfig> = Vec::new();
    // Their number first: each of too many would be compared with all before it.
    let texts: Vec<_> = texts.collect();
    if let Err(error) = Quorum::majority(texts.len()) {
        let (kind, index) = (ConfigErrorKind::InvalidValue, texts.len());
        return Err(InvalidNodes { kind, index, problem: error.to_string() });
    }
    for (index, text) in texts.into_iter().enumerate() {
        let node = parse_node(text, common).map_err(|problem| InvalidNodes {
            kind: ConfigErrorKind::InvalidValue,
            index,
            problem: format!("node {}: {problem}", index + 1),
        })?;
        let address = node.address();
        if let Some(earlier) = nodes.iter().position(|earlier| earlier.address() == address) {
            let (first, second) = (earlier + 1, index + 1);
            let problem = format!("nodes {first} and {second} are both {address}; one server has one vote");
            return Err(InvalidNodes { kind: ConfigErrorKind::DuplicateNodes, index, problem });
        }
        nodes.push(node);
    }
    Ok(nodes)
}

/// What is wrong with a list of nodes. No URL is repeated: it may hold a password.
pub(in crate::config) struct InvalidNodes {
    pub(in crate::config) kind: ConfigErrorKind,
    /// Which node it is about, counted from 0; behind the last one, if it is about all.
    index: usize,
    pub(in crate::config) problem: String,
}

/// Reads a URL of any backend, or `host:port` of a Redis. What the table says of every Redis holds for no other; the prefix for all.
fn parse_node(text: &str, common: &RedisConfig) -> Result<NodeConfig, String> {
    match backend_of(text) {
        Some("redis") | None => Ok(NodeConfig::Redis(Box::new(parse_redis(text, common)?))),
        Some(_) => {
            let node = NodeConfig::from_url(text).map_err(|error| error.to_string())?;
            Ok(node.prefix(common.get_prefix()))
        }
    }
}

/// Reads a URL, or `host:port`, and completes it.
fn parse_redis(text: &str, common: &RedisConfig) -> Result<RedisConfig, String> {
    let node = if text.contains("://") {
        let node = RedisConfig::from_url(text).map_err(|error| error.to_string())?;
        if common.has_tls() && !node.has_tls() {
            let address = node.address();
            return Err(format!(
                "redis://{address} asks for plain text, but caFile or certFile is set; write rediss:// or host:port"
            ));
        }
        node
    } else {
        parse_address(text).ok_or_else(|| {
            format!("{ADDRESS_EXPECTED}, or a URL: redis://user:password@host:port/db, rediss:// for TLS")
        })?
    };
    Ok(node.completed_by(common))
}

/// Reads `host`, `host:port` or `[IPv6]:port`; `None` if it is not that alone.
pub(super) fn parse_address(text: &str) -> Option<RedisConfig> {
    // What would make it more than an address, once it is a URL.
    if text.contains(['@', '/']) {
        return None;
    }
    RedisConfig::from_url(&format!("redis://{text}")).ok()
}
