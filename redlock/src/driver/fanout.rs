//! One request to many nodes at once, with one deadline.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;

use super::Answered;
use crate::env::Env;
use crate::id::Instant;
use crate::node::{NodeError, NodeErrorKind, NodeFuture};

/// The requests of one round that are still in flight, and answers that nobody has looked at yet.
///
/// There are few nodes, so all pending requests are polled whenever one wakes the task: that is cheaper than a set of
/// futures with a waker and an allocation each. The first poll sends every request before any answer is returned.
pub(super) struct FanOut<T> {
    calls: Vec<(usize, Arc<str>, NodeFuture<T>)>,
    answers: VecDeque<Answered<T>>,
    timer: BoxFuture<'static, ()>,
    /// How long the nodes have to answer, for the error of those that do not.
    patience: Duration,
}

impl<T> FanOut<T> {
    /// No requests yet; those that have no answer at `deadline` are given up.
    pub(super) fn new(env: &dyn Env, started: Instant, deadline: Instant) -> Self {
        Self {
            calls: Vec::new(),
            answers: VecDeque::new(),
            timer: env.sleep_until(deadline),
            patience: deadline.saturating_since(started),
        }
    }

    /// Adds a request; it is sent with the next poll.
    pub(super) fn push(&mut self, node: usize, address: &Arc<str>, call: NodeFuture<T>) {
        self.calls.push((node, Arc::clone(address), call));
    }

    /// Takes back an answer that nobody has looked at; it comes next again.
    pub(super) fn put_back(&mut self, answered: Answered<T>) {
        self.answers.push_front(answered);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.answers.is_empty()
    }

    /// The next answer, in order of arrival; `None` when every request has been answered or given up.
    pub(super) async fn next(&mut self) -> Option<Answered<T>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Answered<T>>> {
        if self.answers.is_empty() {
            let answers = &mut self.answers;
            self.calls.retain_mut(|(node, _, call)| match call.as_mut().poll(context) {
                Poll::Ready(answer) => {
                    answers.push_back((*node, answer));
                    false
                }
                Poll::Pending => true,
            });
        }
        if let Some(answer) = self.answers.pop_front() {
            return Poll::Ready(Some(answer));
        }
        if self.calls.is_empty() {
            return Poll::Ready(None);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let detail = format!("no answer within {:.1?}", self.patience);
                for (node, address, _) in self.calls.drain(..) {
                    let error =
                        NodeError::with_unknown_effect(&address, NodeErrorKind::Timeout, detail.clone());
                    self.answers.push_back((node, Err(error)));
                }
                Poll::Ready(self.answers.pop_front())
            }
        }
    }
}

impl<T> fmt::Debug for FanOut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut").field("in_flight", &self.calls.len()).finish_non_exhaustive()
    }
}
