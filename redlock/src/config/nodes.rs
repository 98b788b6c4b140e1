//! The nodes of `[lock.redlock]`: a majority needs them to be different servers.

use super::address::{InvalidAddress, NodeUrl};
use super::document::Table;
use super::error::{ConfigError, ConfigErrorKind};
use super::store::RedisAccess;
use crate::Quorum;

pub(super) fn read(table: &Table<'_>, access: &RedisAccess) -> Result<Vec<NodeUrl>, ConfigError> {
    let Some(entry) = table.get("nodes") else {
        let problem = "there are no nodes; expected nodes = [\"redis://host:port\", ...], five of them tolerate \
                       two failures";
        return Err(table.error(ConfigErrorKind::Incomplete, problem).at_key("nodes"));
    };
    let texts = entry.texts()?;
    parse(texts.iter().map(|&(text, _)| text), access).map_err(|problem| {
        let error = entry.error(problem.kind(), problem.to_string());
        match problem.position().and_then(|position| texts.get(position - 1)) {
            Some(&(_, line)) => error.on_line(line),
            None => error,
        }
    })
}

/// Nodes that are all different, with the TLS that the table asks for.
pub(super) fn parse<'a>(
    texts: impl Iterator<Item = &'a str>,
    access: &RedisAccess,
) -> Result<Vec<NodeUrl>, NodesError> {
    let mut nodes: Vec<NodeUrl> = Vec::new();
    let same_place = |a: &NodeUrl, b: &NodeUrl| {
        a.address == b.address && a.db.unwrap_or(access.db) == b.db.unwrap_or(access.db)
    };
    for (position, text) in (1..).zip(texts) {
        let node = NodeUrl::parse(text, access.tls.is_some())
            .map_err(|problem| NodesError::Invalid { position, problem })?;
        if access.tls.is_some() && !node.tls {
            return Err(NodesError::PlainText { position, node: node.to_string() });
        }
        if let Some(earlier) = nodes.iter().position(|earlier| same_place(earlier, &node)) {
            let nodes = (nodes[earlier].to_string(), node.to_string());
            return Err(NodesError::Duplicate { positions: (earlier + 1, position), nodes });
        }
        nodes.push(node);
    }
    Quorum::majority(nodes.len())?;
    Ok(nodes)
}

/// What is wrong with a list of nodes. Positions count from 1. No URL is repeated with its credentials.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NodesError {
    #[error("node {position}: {problem}")]
    Invalid { position: usize, problem: InvalidAddress },
    #[error(
        "node {position}: {node} asks for plain text, but caFile or certFile is set; write rediss:// or host:port"
    )]
    PlainText { position: usize, node: String },
    #[error(
        "nodes {} and {} are the same: {} and {}; one server has one vote",
        positions.0, positions.1, nodes.0, nodes.1
    )]
    Duplicate { positions: (usize, usize), nodes: (String, String) },
    #[error(transparent)]
    Number(#[from] crate::InvalidQuorum),
}

impl NodesError {
    pub(super) fn kind(&self) -> ConfigErrorKind {
        match self {
            Self::Duplicate { .. } => ConfigErrorKind::DuplicateNodes,
            _ => ConfigErrorKind::InvalidValue,
        }
    }

    /// The node that it is about.
    fn position(&self) -> Option<usize> {
        match *self {
            Self::Invalid { position, .. } | Self::PlainText { position, .. } => Some(position),
            Self::Duplicate { positions: (_, position), .. } => Some(position),
            Self::Number(_) => None,
        }
    }
}
