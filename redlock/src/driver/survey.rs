//! Asks nodes about themselves and about names, and changes their markers: what is no round.

use std::sync::Arc;
use std::time::Duration;

use super::{Answered, Driver};
use crate::id::LockName;
use crate::node::{Identity, Inspection, MarkRequest, NodeError, NodeFuture};

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

    /// Looks at a name on every node, until `is_enough` of what has been answered; the answers are in no order.
    pub(crate) async fn inspect(
        &self,
        name: &LockName,
        patience: Duration,
        is_enough: impl Fn(&[Answered<Inspection>]) -> bool,
    ) -> Vec<Answered<Inspection>> {
        let looks = self.nodes.iter().map(|node| Arc::clone(node).inspect(name.clone())).enumerate();
        self.ask_until(looks, patience, is_enough).await
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
        self.ask_until(calls, patience, |_| false).await
    }

    async fn ask_until<T>(
        &self,
        calls: impl Iterator<Item = (usize, NodeFuture<T>)>,
        patience: Duration,
        is_enough: impl Fn(&[Answered<T>]) -> bool,
    ) -> Vec<Answered<T>> {
        let now = self.env.now();
        let mut requests = self.fan_out(now, now.saturating_add(patience));
        for (index, call) in calls {
            requests.push(index, call);
        }
        let mut answers = Vec::new();
        while let Some(answer) = requests.next(1).await {
            answers.push(answer);
            if is_enough(&answers) {
                break;
            }
        }
        answers
    }
}
