//! Asks nodes about themselves, and changes their markers: the guard's own requests.

use std::sync::Arc;
use std::time::Duration;

use super::fanout::FanOut;
use super::{Answered, Driver};
use crate::node::{Identity, MarkRequest, NodeError, NodeFuture};

impl Driver {
    /// Asks these nodes who they are.
    pub(crate) async fn survey(
        &self,
        nodes: impl IntoIterator<Item = usize>,
        patience: Duration,
    ) -> Vec<Answered<Identity>> {
        let probes = nodes.into_iter().map(|index| (index, Arc::clone(&self.nodes[index]).probe()));
        self.ask_each(probes, patience).await
    }

    /// Changes markers, each with its own request; returns why those were not changed that were not.
    pub(crate) async fn mark(
        &self,
        requests: impl IntoIterator<Item = (usize, MarkRequest)>,
        patience: Duration,
    ) -> Vec<NodeError> {
        let marks = requests
            .into_iter()
            .map(|(index, request)| (index, Arc::clone(&self.nodes[index]).mark(request)));
        self.ask_each(marks, patience).await.into_iter().filter_map(|(_, answer)| answer.err()).collect()
    }

    /// Every answer, in order of arrival; those that do not come in time are errors.
    async fn ask_each<T>(
        &self,
        calls: impl Iterator<Item = (usize, NodeFuture<T>)>,
        patience: Duration,
    ) -> Vec<Answered<T>> {
        let now = self.env.now();
        let mut requests = FanOut::new(&*self.env, now, now.saturating_add(patience));
        for (index, call) in calls {
            requests.push(index, &self.addresses[index], call);
        }
        let mut answers = Vec::new();
        while let Some(answer) = requests.next().await {
            answers.push(answer);
        }
        answers
    }
}
