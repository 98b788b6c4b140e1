//! The requests of one acquisition that are in flight under one owner token, and what becomes of them.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::acquire::Attempt;
use super::fanout::FanOut;
use super::{Answered, Driver, Owned, earlier};
use crate::id::Instant;
use crate::node::{AcquireRequest, Description, Effect, Fence, NodeError, Raise, RaiseRequest, Reply};
use crate::quorum::{Answer, Fencing, NodeSet};
use crate::telemetry::Meters;

/// Dropped, it releases everywhere; kept, its stragglers are adopted.
pub(super) struct Flight<'a> {
    driver: &'a Arc<Driver>,
    owned: Arc<Owned>,
    deadline: Instant,
    requests: Option<FanOut<Reply>>,
    /// Raises of nodes whose counter is behind the token. One that is dropped leaves a counter higher, at the most.
    raises: Option<FanOut<Reply>>,
    /// The nodes that were asked to raise.
    raised: NodeSet,
}

/// What came of a request in flight.
pub(super) enum Event {
    /// A node has answered the acquire.
    Voted(Result<Reply, NodeError>),
    /// A node has answered a raise.
    Raised(Result<Reply, NodeError>),
}

impl Event {
    /// Where the node's counter stands, if it granted.
    pub(super) fn counter(&self) -> Option<u64> {
        match self {
            Self::Voted(Ok(Reply::Granted(grant))) | Self::Raised(Ok(Reply::Granted(grant))) => grant.counter,
            Self::Voted(_) | Self::Raised(_) => None,
        }
    }
}

impl<'a> Flight<'a> {
    /// Notes every node as asked before the first request is sent, so that none is missed however this ends.
    pub(super) fn send(
        driver: &'a Arc<Driver>,
        owned: Arc<Owned>,
        attempt: &Attempt,
        description: Option<Description>,
        started: Instant,
        deadline: Instant,
    ) -> Self {
        let mut requests = driver.fan_out(started, deadline);
        let fence = attempt.fencing.map(|retention| Fence::new(driver.hint(), attempt.span(), retention));
        let ttl = owned.on_nodes(attempt.ttl);
        let mut claim = owned.claim();
        for (index, node) in driver.nodes.iter().enumerate() {
            claim.asked(index, deadline, driver.keeps_for(ttl));
            let mut request = AcquireRequest::new(owned.name.clone(), owned.owner, ttl, deadline);
            request.fence = fence;
            request.description.clone_from(&description);
            requests.push(index, Arc::clone(node).acquire(request));
        }
        drop(claim);
        let raised = NodeSet::default();
        Self { driver, owned, deadline, requests: Some(requests), raises: None, raised }
    }

    /// Raises every node that granted and stores less than the token.
    pub(super) fn raise(&mut self, fencing: &Fencing, attempt: &Attempt, valid_until: Instant) {
        let Some(retention) = attempt.fencing else { return };
        let driver = self.driver;
        for (index, node) in driver.nodes.iter().enumerate() {
            let Some(to) = fencing.raise(index).filter(|_| self.raised.insert(index)) else { continue };
            let now = driver.env.now();
            let give_up =
                earlier(now.saturating_add(attempt.node_timeout).min(valid_until), attempt.give_up_at);
            let (name, owner) = (self.owned.name.clone(), self.owned.owner);
            let ttl = self.owned.on_nodes(attempt.ttl);
            let request = RaiseRequest::new(name, owner, ttl, valid_until, Raise::new(to, retention));
            let raises = self.raises.get_or_insert_with(|| {
                driver.meters.raise_round();
                driver.fan_out(now, give_up)
            });
            raises.push(index, Arc::clone(node).raise(request));
        }
    }

    /// What comes next of all that is in flight; `None` when nothing is any more.
    ///
    /// Fewer votes than `fewest` decide nothing; raises do.
    pub(super) async fn next(&mut self, fewest: usize) -> Option<(usize, Event)> {
        std::future::poll_fn(|context| self.poll_next(context, fewest)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>, fewest: usize) -> Poll<Option<(usize, Event)>> {
        let raised = self.raises.as_mut().map_or(Poll::Ready(None), |raises| raises.poll_next(context, 1));
        if let Poll::Ready(Some((node, answer))) = raised {
            return Poll::Ready(Some((node, Event::Raised(answer))));
        }
        let requests = self.requests.as_mut();
        let voted = requests.map_or(Poll::Ready(None), |requests| requests.poll_next(context, fewest));
        match voted {
            Poll::Ready(Some(answered)) => {
                self.owned.note(&answered, self.deadline);
                let (node, answer) = answered;
                Poll::Ready(Some((node, Event::Voted(self.driver.weigh(node, answer)))))
            }
            Poll::Ready(None) if raised.is_ready() => Poll::Ready(None),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// The lock is held: stragglers are adopted into it.
    pub(super) fn keep(mut self) -> Arc<Owned> {
        let mut stragglers = self.requests.take();
        // What is here already needs nobody to wait for it.
        while let Some(answered) = stragglers.as_mut().and_then(FanOut::take_answer) {
            self.owned.note(&answered, self.deadline);
            self.driver.meters.voted(answered.0, &answered.1);
        }
        let stragglers = stragglers.filter(|requests| !requests.is_empty());
        if let Some(requests) = stragglers.filter(|_| self.driver.protections.adopt_stragglers()) {
            let owned = Arc::clone(&self.owned);
            let meters = self.driver.meters.clone();
            self.driver.adopt(owned.see_through(requests, self.deadline, meters, false));
        }
        Arc::clone(&self.owned)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let Some(requests) = self.requests.take() else { return };
        let driver = Arc::clone(self.driver);
        let owned = Arc::clone(&self.owned);
        let deadline = self.deadline;
        if !driver.protections.adopt_stragglers() {
            // What a client does that forgets its requests: only what was granted so far is released.
            drop(requests);
            owned.claim().forget_awaited();
            self.driver.spawn(async move { driver.settle(&owned).await });
            return;
        }
        self.driver.spawn(async move {
            let meters = driver.meters.clone();
            let stragglers = Arc::clone(&owned).see_through(requests, deadline, meters, false);
            futures::future::join(stragglers, driver.settle(&owned)).await;
        });
    }
}

impl Owned {
    /// Notes how an awaited request ended that may have created a key.
    pub(super) fn note(&self, (node, answer): &Answered<Reply>, deadline: Instant) {
        let mut claim = self.claim();
        let answer = match answer {
            Ok(Reply::Granted(grant)) => {
                claim.granted_in(*node, grant.incarnation);
                Answer::Granted
            }
            Ok(Reply::Refused(_)) => Answer::NoEffect,
            Err(error) if error.effect == Effect::None => Answer::NoEffect,
            Err(_) => Answer::GivenUp { deadline },
        };
        claim.answered(*node, answer);
        // Nobody waits for it before releases have begun.
        let is_closing = claim.is_closing();
        drop(claim);
        if is_closing {
            self.changed.notify_waiters();
        }
    }

    /// Waits for the requests that are still in flight, and notes how they end.
    pub(super) async fn see_through(
        self: Arc<Self>,
        mut requests: FanOut<Reply>,
        deadline: Instant,
        meters: Meters,
        may_restore: bool,
    ) {
        while let Some(answered) = requests.next(1).await {
            self.note(&answered, deadline);
            meters.voted(answered.0, &answered.1);
            if may_restore && matches!(answered.1, Ok(Reply::Granted(_))) {
                meters.restored(answered.0);
            }
        }
    }
}
