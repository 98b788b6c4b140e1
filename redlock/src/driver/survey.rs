//! Asks nodes about themselves, and changes their markers: the guard's own requests.

use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use super::fanout::FanOut;
use crate::node::{Identity, MarkRequest, NodeError};
use crate::telemetry::events;

impl Driver {
    /// Asks these nodes who they are; those that do not answer in time, or fail, are missing.
    pub(crate) async fn survey(
        &self,
        nodes: impl IntoIterator<Item = usize>,
        patience: Duration,
    ) -> Vec<(usize, Identity)> {
        let now = self.env.now();
        let mut requests = FanOut::new(&*self.env, now, now.saturating_add(patience));
        for index in nodes {
            requests.push(index, &self.addresses[index], Arc::clone(&self.nodes[index]).probe());
        }
        let mut known = Vec::new();
        while let Some((node, answer)) = requests.next().await {
            match answer {
                Ok(identity) => known.push((node, identity)),
                Err(error) => events::node_said_nothing(&error),
            }
        }
        known
    }

    /// The nodes that cannot be asked, each with its reason.
    pub(crate) async fn unreachable(&self, patience: Duration) -> Vec<NodeError> {
        let now = self.env.now();
        let mut requests = FanOut::new(&*self.env, now, now.saturating_add(patience));
        for (index, (node, address)) in self.nodes.iter().zip(&self.addresses).enumerate() {
            requests.push(index, address, Arc::clone(node).probe());
        }
        let mut failed = Vec::new();
        while let Some((_, answer)) = requests.next().await {
            failed.extend(answer.err());
        }
        failed
    }

    /// Changes markers, each with its own request.
    pub(crate) async fn mark(
        &self,
        requests: impl IntoIterator<Item = (usize, MarkRequest)>,
        patience: Duration,
    ) -> Vec<NodeError> {
        let now = self.env.now();
        let mut marks = FanOut::new(&*self.env, now, now.saturating_add(patience));
        for (index, request) in requests {
            marks.push(index, &self.addresses[index], Arc::clone(&self.nodes[index]).mark(request));
        }
        let mut failed = Vec::new();
        while let Some((_, answer)) = marks.next().await {
            failed.extend(answer.err());
        }
        failed
    }
}
