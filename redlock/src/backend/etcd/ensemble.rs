//! The members together: who is asked, and who next when that one hangs, is gone or is cut off.
//!
//! A member that has answered is asked until another one answers sooner. One that does not answer within a few of the
//! usual round trips is not given up: the next member is asked besides, and whoever answers first counts. So a member
//! that hangs costs one request a fraction of its time, and the next ones nothing. It is safe because a request that is
//! carried out twice does nothing the second time: transactions compare first, and of several leases all but one are revoked.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use etcd_client::{Client, Error};
use futures::StreamExt;
use futures::future::{BoxFuture, Either, select};
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use super::failure::Failure;
use super::member::Member;
use crate::env::Env;
use crate::id::Instant;
use crate::node::{Effect, NodeErrorKind};
use crate::telemetry;

/// The shortest and the longest time after which another member is asked besides.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(12), Duration::from_millis(250));
/// What the first request expects of a round trip.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(10);

pub(super) struct Ensemble {
    pub(super) env: Arc<dyn Env>,
    members: Vec<Arc<Member>>,
    /// Who answered last, by its index.
    preferred: watch::Sender<usize>,
    /// What a round trip takes lately, in microseconds.
    round_trip: AtomicU64,
    /// What operators are told of.
    health: watch::Sender<Health>,
}

/// Which member was asked, how long it took, and what came of it.
type Attempt<T> = (usize, Duration, Result<T, Failure>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Health {
    Unknown,
    Works,
    Fails(String),
}

impl Ensemble {
    /// There is at least one member.
    pub(super) fn new(node: &Arc<str>, members: Vec<Arc<Member>>, env: Arc<dyn Env>) -> Self {
        let round_trip = AtomicU64::new(micros(FIRST_ROUND_TRIP));
        let health = watch::Sender::new(Health::Unknown);
        env.spawn(Box::pin(tell(telemetry::Link::new(node), health.subscribe())));
        Self { env, members, preferred: watch::Sender::new(0), round_trip, health }
    }

    pub(super) fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// Who is asked first now, and how to learn when that changes.
    pub(super) fn preferred(&self) -> (Arc<Member>, watch::Receiver<usize>) {
        let mut changes = self.preferred.subscribe();
        let index = *changes.borrow_and_update();
        (Arc::clone(&self.members[index.min(self.members.len() - 1)]), changes)
    }

    /// A member has shown that it does not answer: others are asked first from now on.
    pub(super) fn avoid(&self, member: &Arc<Member>) {
        self.preferred.send_if_modified(|preferred| {
            let is_it = self.members.get(*preferred).is_some_and(|known| Arc::ptr_eq(known, member));
            if is_it {
                *preferred = (*preferred + 1) % self.members.len();
            }
            is_it && self.members.len() > 1
        });
    }

    /// Has one member after the other run `request`, which must be harmless when it is carried out twice. It is over by
    /// `deadline` at the latest, unless nobody has been asked by then.
    pub(super) async fn call<T, F>(
        &self,
        deadline: Instant,
        request: impl Fn(Client) -> F + Send + Sync,
    ) -> Result<T, Failure>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        self.call_counted(deadline, request).await.map(|(answer, _)| answer)
    }

    /// As [`call`](Self::call); also says of how many members it was asked: the answer may be to another copy than the one
    /// that took effect.
    pub(super) async fn call_counted<T, F>(
        &self,
        deadline: Instant,
        request: impl Fn(Client) -> F + Send + Sync,
    ) -> Result<(T, usize), Failure>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let mut asked = 0;
        let mut waiting = self.order();
        let mut attempts: FuturesUnordered<BoxFuture<'_, Attempt<T>>> = FuturesUnordered::new();
        let mut worst: Option<Failure> = None;
        let patience = self.patience(deadline);
        let mut unanswered = Unanswered { ensemble: self, is_answered: false };
        loop {
            if let Some(index) = (!waiting.is_empty()).then(|| waiting.remove(0)) {
                asked += 1;
                attempts.push(Box::pin(self.attempt(index, &request)));
            }
            let timer = match waiting.is_empty() {
                false => self.env.sleep_until(self.env.now().saturating_add(patience)),
                true => Box::pin(std::future::pending()),
            };
            match select(attempts.next(), timer).await {
                // It takes too long: the next one is asked besides.
                Either::Right(_) => {}
                Either::Left((None, _)) => {
                    let failure = worst.unwrap_or_else(|| self.all_rest());
                    unanswered.is_answered = true;
                    self.fails(&failure.detail);
                    return Err(failure);
                }
                Either::Left((Some((index, took, Ok(answer))), _)) => {
                    unanswered.is_answered = true;
                    self.answered(index, took);
                    return Ok((answer, asked));
                }
                Either::Left((Some((index, took, Err(failure))), _)) => {
                    if !failure.elsewhere {
                        unanswered.is_answered = true;
                        self.answered(index, took);
                        // An earlier copy may be carried out yet.
                        let doubt = !attempts.is_empty()
                            || worst.is_some_and(|worst| worst.effect == Effect::Unknown);
                        let effect = if doubt { Effect::Unknown } else { failure.effect };
                        return Err(Failure { effect, ..failure });
                    }
                    if let Some(member) = self.members.get(index) {
                        member.failed(&failure);
                    }
                    let is_worse = |known: &Failure| known.effect == Effect::None;
                    if worst.as_ref().is_none_or(is_worse) {
                        worst = Some(failure);
                    }
                }
            }
        }
    }

    async fn attempt<T, F>(&self, index: usize, request: &(impl Fn(Client) -> F + Sync)) -> Attempt<T>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let Some(member) = self.members.get(index) else {
            return (index, Duration::ZERO, Err(self.all_rest()));
        };
        let client = match member.client().await {
            Ok(client) => client,
            Err(failure) => return (index, Duration::ZERO, Err(failure)),
        };
        let sent = self.env.now();
        let result = request(client).await.map_err(|error| Failure::of(&error, member.has_tls()));
        (index, self.env.now().saturating_since(sent), result)
    }

    /// Who is to be asked, one after the other: those that failed a moment ago are left alone.
    fn order(&self) -> Vec<usize> {
        let (first, count) = (*self.preferred.borrow(), self.members.len());
        let all = (0..count).map(|step| (first + step) % count);
        all.filter(|&index| !self.members[index].rests()).collect()
    }

    fn all_rest(&self) -> Failure {
        let mut failures = self.members.iter().filter_map(|member| member.latest_failure());
        let failure = failures.next_back().unwrap_or_else(|| {
            Failure::unreachable(
                NodeErrorKind::Unreachable,
                "no member answers; the next attempt is due soon",
            )
        });
        failure.harmless()
    }

    fn answered(&self, index: usize, took: Duration) {
        if let Some(member) = self.members.get(index) {
            member.works();
        }
        let old = self.round_trip.load(Ordering::Relaxed);
        self.round_trip.store(old - old / 8 + micros(took) / 8, Ordering::Relaxed);
        self.preferred.send_if_modified(|preferred| {
            let is_another = *preferred != index;
            *preferred = index;
            is_another
        });
        self.health.send_if_modified(|health| {
            let is_new = *health != Health::Works;
            *health = Health::Works;
            is_new
        });
    }

    fn fails(&self, reason: &str) {
        self.health.send_replace(Health::Fails(reason.to_owned()));
    }

    fn patience(&self, deadline: Instant) -> Duration {
        let usual = Duration::from_micros(self.round_trip.load(Ordering::Relaxed).saturating_mul(3));
        let share = deadline.saturating_since(self.env.now()) / 5;
        usual.clamp(PATIENCE.0, PATIENCE.1).min(share.max(PATIENCE.0))
    }
}

/// A request that is given up without an answer tells that the ensemble does not work.
struct Unanswered<'a> {
    ensemble: &'a Ensemble,
    is_answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.ensemble.fails("no answer in time");
        }
    }
}

/// Tells operators what becomes of the ensemble, until it is dropped.
async fn tell(link: telemetry::Link, mut health: watch::Receiver<Health>) {
    while health.changed().await.is_ok() {
        let now = health.borrow_and_update().clone();
        match now {
            Health::Unknown => {}
            Health::Fails(reason) => link.failed(&reason),
            Health::Works => {
                let _connected = link.up();
                if health.wait_for(|health| *health != Health::Works).await.is_err() {
                    return;
                }
                // Seen, but not told of yet.
                health.mark_changed();
            }
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
