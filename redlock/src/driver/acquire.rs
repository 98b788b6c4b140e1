//! One round of acquire: sent to every node, decided at quorum, its stragglers adopted.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::fanout::FanOut;
use super::{Driver, Owned, earlier};
use crate::env::{RandomError, fresh_owner};
use crate::error::{NodeReport, NodeVote};
use crate::id::{Instant, LockName, OwnerToken, Ttl};
use crate::node::{AcquireRequest, Effect, NodeError, Refusal, RefusalReason, Reply};
use crate::quorum::{Answer, Outcome, Round, Situation, Vote};

/// What one round is to do.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) name: LockName,
    pub(crate) ttl: Ttl,
    pub(crate) node_timeout: Duration,
    /// The caller waits no longer than this.
    pub(crate) give_up_at: Option<Instant>,
    /// The token of an earlier round of the same acquisition: used again only where that safeguard is off.
    pub(crate) earlier_owner: Option<OwnerToken>,
}

/// A round that brought nothing. What it left on nodes is being released.
#[derive(Debug)]
pub(crate) struct RoundFailure {
    pub(crate) situation: Situation,
    pub(crate) nodes: Vec<NodeReport>,
    pub(crate) owner: OwnerToken,
    /// Nodes had less than their time to answer, because the caller waits no longer.
    pub(crate) cut_short: bool,
}

/// A quorum has granted, until then.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) owned: Arc<Owned>,
    pub(crate) valid_until: Instant,
}

impl Driver {
    /// Runs one round (design, section 4, "Acquire").
    ///
    /// Cancel safe: a future that is dropped half-way releases every node that was asked, in the background.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        attempt: Attempt,
    ) -> Result<Result<Held, RoundFailure>, RandomError> {
        let owner = match attempt.earlier_owner {
            Some(owner) if !self.protections.fresh_owner() => owner,
            _ => fresh_owner(&*self.env)?,
        };
        let started = self.env.now();
        let patience = started.saturating_add(attempt.node_timeout);
        let deadline = earlier(patience, attempt.give_up_at);
        let valid_until = self.drift.valid_until(started, attempt.ttl, self.protections.drift_allowance());
        let mut round = Round::new(self.quorum, valid_until, valid_until);
        let mut votes = vec![NodeVote::Pending; self.nodes.len()];

        let owned = Owned::new(attempt.name, owner, attempt.node_timeout, self.quorum);
        let mut flight = Flight::send(self, owned, attempt.ttl, started, deadline);
        loop {
            // Reading the clock again at quorum covers whatever delayed us meanwhile.
            let now = if self.protections.validity_check() { self.env.now() } else { started };
            match round.outcome(now) {
                Outcome::Held { valid_until } => return Ok(Ok(Held { owned: flight.keep(), valid_until })),
                Outcome::Lacking | Outcome::TooLate => break,
                Outcome::Pending => {}
            }
            let Some((node, answer)) = flight.next().await else { break };
            round.record(node, vote_of(&answer));
            votes[node] = report_of(answer);
        }
        // What is here already belongs to the picture: nodes that are silent are given up all at once.
        while let Some(Some((node, answer))) = flight.next().now_or_never() {
            round.record(node, vote_of(&answer));
            votes[node] = report_of(answer);
        }
        let situation = situation(&round, &votes, self.quorum.size());
        // Dropping the flight releases what was granted or may yet be.
        drop(flight);
        let cut_short = deadline < patience;
        Ok(Err(RoundFailure { situation, nodes: self.report(votes), owner, cut_short }))
    }
}

/// The acquires in flight under one owner token. Dropped, it releases everywhere; kept, its stragglers are adopted.
struct Flight<'a> {
    driver: &'a Arc<Driver>,
    owned: Arc<Owned>,
    deadline: Instant,
    requests: Option<FanOut<Reply>>,
}

impl<'a> Flight<'a> {
    /// Notes every node as asked before the first request is sent, so that none is missed however this ends.
    fn send(
        driver: &'a Arc<Driver>,
        owned: Arc<Owned>,
        ttl: Ttl,
        started: Instant,
        deadline: Instant,
    ) -> Self {
        let mut requests = FanOut::new(&*driver.env, started, deadline);
        let mut claim = owned.claim();
        for (index, (node, address)) in driver.nodes.iter().zip(&driver.addresses).enumerate() {
            claim.asked(index, deadline, driver.keeps_for(ttl));
            let request = AcquireRequest::new(owned.name.clone(), owned.owner, ttl, deadline);
            requests.push(index, address, Arc::clone(node).acquire(request));
        }
        drop(claim);
        Self { driver, owned, deadline, requests: Some(requests) }
    }

    async fn next(&mut self) -> Option<(usize, Result<Reply, NodeError>)> {
        let answered = self.requests.as_mut()?.next().await?;
        self.owned.note(&answered, self.deadline);
        Some(answered)
    }

    /// The lock is held: stragglers are adopted into it.
    fn keep(mut self) -> Arc<Owned> {
        let stragglers = self.requests.take().filter(|requests| !requests.is_empty());
        if let Some(requests) = stragglers.filter(|_| self.driver.protections.adopt_stragglers()) {
            let owned = Arc::clone(&self.owned);
            self.driver.spawn(owned.see_through(requests, self.deadline));
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
            let stragglers = Arc::clone(&owned).see_through(requests, deadline);
            futures::future::join(stragglers, driver.settle(&owned)).await;
        });
    }
}

impl Owned {
    /// Notes how an awaited acquire ended.
    fn note(&self, (node, answer): &(usize, Result<Reply, NodeError>), deadline: Instant) {
        let answer = match answer {
            Ok(Reply::Granted(_)) => Answer::Granted,
            Ok(Reply::Refused(_)) => Answer::NoEffect,
            Err(error) if error.effect == Effect::None => Answer::NoEffect,
            Err(_) => Answer::GivenUp { deadline },
        };
        self.claim().answered(*node, answer);
        self.changed.notify_waiters();
    }

    /// Waits for the acquires that are still in flight, and notes how they end.
    async fn see_through(self: Arc<Self>, mut requests: FanOut<Reply>, deadline: Instant) {
        while let Some(answered) = requests.next().await {
            self.note(&answered, deadline);
        }
    }
}

pub(super) fn vote_of(answer: &Result<Reply, NodeError>) -> Vote {
    match answer {
        Ok(Reply::Granted(_)) => Vote::Granted,
        Ok(Reply::Refused(refusal)) => match refusal.reason {
            RefusalReason::Held => Vote::Taken,
            RefusalReason::Missing => Vote::NotGranted,
            // It says nothing of who has the name.
            RefusalReason::Stale => Vote::Unknown,
        },
        Err(_) => Vote::Unknown,
    }
}

pub(super) fn report_of(answer: Result<Reply, NodeError>) -> NodeVote {
    match answer {
        Ok(Reply::Granted(_)) => NodeVote::Granted,
        Ok(Reply::Refused(refusal)) => NodeVote::Refused(refusal),
        Err(error) => NodeVote::Failed(error),
    }
}

/// Why a round failed, from what the nodes said.
fn situation(round: &Round, votes: &[NodeVote], quorum: usize) -> Situation {
    let silent = round.count(Vote::Unknown);
    if silent > votes.len() - quorum {
        return Situation::Unreachable;
    }
    if round.count(Vote::Granted) > 0 {
        return Situation::Split;
    }
    // The lock is worth another try when a quorum of nodes may be free: the quorum-th shortest remainder.
    let mut left: Vec<Option<Duration>> = votes
        .iter()
        .filter_map(|vote| match vote {
            NodeVote::Refused(Refusal { remaining, .. }) => Some(*remaining),
            _ => None,
        })
        .collect();
    left.sort_by_key(|left| left.unwrap_or(Duration::MAX));
    Situation::Held { remaining: left.get(quorum - 1).copied().flatten() }
}
