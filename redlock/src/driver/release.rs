//! Release: to every node that may hold something of an owner, repeated until each is certain to hold nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::fanout::FanOut;
use super::{Answered, Driver, Owned};
use crate::env::jitter;
use crate::error::{NodeReport, NodeVote};
use crate::node::{NodeError, Refusal, RefusalReason, ReleaseRequest, Released};
use crate::quorum::{Backoff, NodeSet, ReleaseOutcome, ReleaseTally, ReleaseVote, Situation};

/// What a release came to.
#[derive(Debug)]
pub(crate) enum ReleaseResult {
    /// A quorum had it and has it no longer.
    Released,
    /// No quorum had it.
    NotHeld,
    /// Too few nodes answered in time.
    Unconfirmed(Vec<NodeReport>),
}

impl Driver {
    /// Releases on every node and returns once a quorum has confirmed, or no longer can. The rest goes on in the
    /// background, also when the future is dropped.
    pub(crate) async fn release(self: &Arc<Self>, owned: &Arc<Owned>) -> ReleaseResult {
        let mut tally = ReleaseTally::new(self.quorum);
        let mut failures: Vec<(usize, NodeError)> = Vec::new();
        let (mut flight, asked) = Releasing::send(self, owned);
        // A node that is certain to hold nothing is not asked.
        for node in (0..self.nodes.len()).filter(|&node| !asked.contains(node)) {
            tally.record(node, ReleaseVote::NotHeld);
        }
        loop {
            match tally.outcome() {
                ReleaseOutcome::Released => return ReleaseResult::Released,
                ReleaseOutcome::NotHeld => return ReleaseResult::NotHeld,
                ReleaseOutcome::Unconfirmed => break,
                ReleaseOutcome::Pending => {}
            }
            let Some((node, answer)) = flight.next(tally.fewest_to_decide()).await else { break };
            let vote = match answer {
                Ok(Released { was_held: true, .. }) => ReleaseVote::Released,
                Ok(_) => ReleaseVote::NotHeld,
                Err(error) => {
                    failures.push((node, error));
                    ReleaseVote::Unknown
                }
            };
            tally.record(node, vote);
        }
        let vote = |node: usize| match tally.vote(node) {
            Some(ReleaseVote::Released) => NodeVote::Granted,
            Some(ReleaseVote::NotHeld) => NodeVote::Refused(Refusal::new(RefusalReason::Missing, None)),
            Some(ReleaseVote::Unknown) | None => {
                let failure = failures.iter().position(|&(of, _)| of == node);
                failure.map_or(NodeVote::Pending, |failure| NodeVote::Failed(failures.swap_remove(failure).1))
            }
        };
        ReleaseResult::Unconfirmed(self.report((0..self.nodes.len()).map(vote)))
    }

    /// Releases in the background. Calls `sent` as soon as the requests are on their way: whoever is woken by it asks
    /// behind them.
    pub(crate) fn release_in_background(
        self: &Arc<Self>,
        owned: &Arc<Owned>,
        sent: impl FnOnce() + Send + 'static,
    ) {
        let (driver, owned) = (Arc::clone(self), Arc::clone(owned));
        self.spawn(async move {
            let (mut requests, _) = driver.send_releases(&owned, true);
            // The first poll sends.
            if let Some(Some(answered)) = requests.next(1).now_or_never() {
                owned.note_release(&answered);
            }
            sent();
            driver.finish(requests, &owned).await;
        });
    }

    /// Sees releases to their end, and all that is still unsettled then.
    async fn finish(self: &Arc<Self>, mut requests: FanOut<Released>, owned: &Arc<Owned>) {
        while let Some(answered) = requests.next(1).await {
            owned.note_release(&answered);
        }
        self.settle(owned).await;
    }

    /// Releases until every node is certain to hold nothing of this owner, or will be without anybody's doing.
    pub(super) async fn settle(self: &Arc<Self>, owned: &Arc<Owned>) {
        let mut pause = Backoff::new(Duration::from_millis(20));
        let mut behind_awaited = true;
        loop {
            let changed = owned.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();

            let (mut requests, _) = self.send_releases(owned, behind_awaited);
            behind_awaited = false;
            while let Some(answered) = requests.next(1).await {
                owned.note_release(&answered);
            }
            if !self.protections.release_unknown() {
                owned.claim().forget_given_up();
            }
            if owned.claim().is_settled(self.env.now()) {
                return;
            }
            let pause = pause.pause(Situation::Unreachable, jitter(&*self.env));
            let again = self.env.sleep_until(self.env.now().saturating_add(pause));
            futures::future::select(changed, again).await;
        }
    }

    /// Sends a release to every node that needs one.
    fn send_releases(&self, owned: &Owned, behind_awaited: bool) -> (FanOut<Released>, NodeSet) {
        let now = self.env.now();
        let due = owned.claim().start_release(now, behind_awaited);
        let mut requests = self.fan_out(now, now.saturating_add(owned.node_timeout));
        let mut asked = NodeSet::default();
        for (index, unsettled) in due {
            let request = ReleaseRequest::new(owned.name.clone(), owned.owner, unsettled);
            requests.push(index, Arc::clone(&self.nodes[index]).release(request));
            asked.insert(index);
        }
        (requests, asked)
    }
}

/// Releases in flight. Dropped, they and all that is still unsettled are seen to their end in the background.
struct Releasing<'a> {
    driver: &'a Arc<Driver>,
    owned: &'a Arc<Owned>,
    requests: Option<FanOut<Released>>,
}

impl<'a> Releasing<'a> {
    fn send(driver: &'a Arc<Driver>, owned: &'a Arc<Owned>) -> (Self, NodeSet) {
        let (requests, asked) = driver.send_releases(owned, true);
        (Self { driver, owned, requests: Some(requests) }, asked)
    }

    async fn next(&mut self, fewest: usize) -> Option<Answered<Released>> {
        let answered = self.requests.as_mut()?.next(fewest).await?;
        self.owned.note_release(&answered);
        Some(answered)
    }
}

impl Drop for Releasing<'_> {
    fn drop(&mut self) {
        let Some(mut requests) = self.requests.take() else { return };
        // What is here already needs nobody to wait for it.
        while let Some(answered) = requests.take_answer() {
            self.owned.note_release(&answered);
        }
        if requests.is_empty() && self.owned.claim().is_settled(self.driver.env.now()) {
            return;
        }
        let (driver, owned) = (Arc::clone(self.driver), Arc::clone(self.owned));
        self.driver.adopt(async move { driver.finish(requests, &owned).await });
    }
}

impl Owned {
    fn note_release(&self, (node, answer): &Answered<Released>) {
        let mut claim = self.claim();
        match answer {
            Ok(released) => claim.released(*node, released.was_held, released.settled),
            Err(_) => claim.release_failed(*node),
        }
    }
}
