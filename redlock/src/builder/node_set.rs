//! Prepares a change of the node set from the configuration of a client: that of before the change, or of after it.

use std::sync::Arc;

use futures::future::join_all;

use super::{LocksBuilder, NodeConfig, Source, refuse_duplicates};
use crate::driver::Driver;
use crate::id::millis_up;
use crate::node_set::{Members, NodeChange, NodeSetChange, NodeSetError, Plan};
use crate::quorum::Quorum;

impl LocksBuilder {
    /// Prepares to add or remove a node **while locks are held**. This is the configuration of the clients before the change, or, to go
    /// on with a change that was begun, of after it: list and [number](LocksBuilder::node_set).
    ///
    /// Connects to the nodes, and changes nothing. All of them must keep markers ([`restart_guard`](LocksBuilder::restart_guard));
    /// quorums are majorities. To replace a node, remove it, and when that is done add the other one.
    ///
    /// Cancel safe: a dropped future leaves nothing.
    ///
    /// # Errors
    /// [`NodeSetError`], if the configuration is wrong, or the change makes no sense for it.
    pub async fn change_nodes(self, change: NodeChange) -> Result<NodeSetChange, NodeSetError> {
        let settings = self.checked_settings()?;
        let env = self.environment()?;
        let mut nodes = self.start_nodes(&env, &settings)?;
        refuse_duplicates(&nodes)?;
        if self.quorum.is_some_and(|quorum| quorum != nodes.len() / 2 + 1) {
            return Err(NodeSetError::NotMajority);
        }
        join_all(nodes.iter().map(|node| Arc::clone(node).probe())).await;
        let (text, adds) = match &change {
            NodeChange::Add(text) => (text, true),
            NodeChange::Remove(text) => (text, false),
        };
        let mut sources = self.nodes.clone();
        let mut place = nodes.iter().position(|node| node.address() == text);
        if place.is_none() {
            let config = self.complete(NodeConfig::from_url(text)?);
            let node = config.start(nodes.len(), &env, &settings, self.protections)?;
            place = nodes.iter().position(|known| known.address() == node.address());
            if place.is_none() {
                // An answer, or why there is none: what matters is that it has been tried.
                let _ = Arc::clone(&node).probe().await;
                nodes.push(node);
                sources.push(Source::Config(config));
            }
        }
        // Without the new node, or with the old one: as it was before.
        let is_before = place.is_some() != adds;
        let changing = place.unwrap_or(nodes.len() - 1);
        let ours = settings.node_set;
        let number = if is_before { ours.checked_add(1) } else { Some(ours).filter(|&ours| ours > 0) };
        let Some(number) = number else {
            let node = nodes.get(changing).map_or(text.as_str(), |node| node.address()).to_owned();
            return Err(if adds { NodeSetError::AlreadyIn { node } } else { NodeSetError::NotIn { node } });
        };
        let (all, others) = (Quorum::majority(nodes.len()), Quorum::majority(nodes.len() - 1));
        let (all, others) = (all.map_err(super::BuildError::from)?, others.map_err(super::BuildError::from)?);
        if !adds {
            sources.remove(changing);
        }
        let after = Self { nodes: sources, ..self.clone() }.node_set(number);
        let max_ttl = std::time::Duration::from_millis(millis_up(settings.max_ttl.get()));
        let wait = max_ttl.saturating_add(settings.drift_factor.allowance(settings.max_ttl));
        let members = if adds { Members::Joins(changing) } else { Members::Leaves(changing) };
        let (before, later) = if adds { (others, all) } else { (all, others) };
        let plan = Plan { number, members, before, after: later, max_ttl };
        let driver = Driver::new(env, nodes, all, settings.drift_factor, self.protections, None);
        Ok(NodeSetChange::new(driver, plan, wait, is_before, after))
    }

    /// Credentials and TLS as the first node has them, where the URL says nothing.
    fn complete(&self, config: NodeConfig) -> NodeConfig {
        let first = self.nodes.iter().find_map(|source| match source {
            Source::Config(config) => Some(config.clone()),
            Source::Url(url) => NodeConfig::from_url(url).ok(),
            Source::Ready(_) => None,
        });
        first.iter().fold(config, NodeConfig::completed_by)
    }
}
