//! One hold of a lock: until when it is valid, and how it ended. Shared by the guard, renewal and all who watch it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::driver::{Driver, Extension, Held, Owned};
use crate::error::{ExtendError, LostReason, NodeReport};
use crate::id::{FencingToken, Instant, Ttl};
use crate::node::Raise;
use crate::telemetry::events;

/// A loss by expiry is reported this much before the validity ends: a timer never fires early, and the holder must
/// hear of it no later than `valid_until`.
const LEAD: Duration = Duration::from_millis(1);

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockState {
    /// Held, and the last renewal went well.
    Held,
    /// Held, but renewals are failing; it is lost at `until` unless one gets through.
    Suspect {
        /// The end of the validity.
        until: Instant,
    },
    /// Not held any more.
    Lost(LostReason),
    /// Released by its guard.
    Released,
}

impl LockState {
    /// Where a lock stands that is held only while two leases are.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Lost(reason), _) | (_, Self::Lost(reason)) => Self::Lost(reason),
            (Self::Released, _) | (_, Self::Released) => Self::Released,
            (Self::Suspect { until: one }, Self::Suspect { until: other }) => {
                Self::Suspect { until: one.min(other) }
            }
            (Self::Suspect { until }, Self::Held) | (Self::Held, Self::Suspect { until }) => {
                Self::Suspect { until }
            }
            (Self::Held, Self::Held) => Self::Held,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Lease {
    driver: Arc<Driver>,
    owned: Arc<Owned>,
    ttl: Ttl,
    acquired_at: Instant,
    /// How long nodes keep its fencing counter beyond its end.
    fencing: Option<Duration>,
    /// No renewal is started after this point.
    renew_until: Option<Instant>,
    /// [`Driver::own_moves`] when it was asked for.
    own_moves: u64,
    status: Mutex<Status>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Status {
    valid_until: Instant,
    token: Option<FencingToken>,
    failing: bool,
    ended: Option<Ended>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Lost(LostReason),
    Released,
}

impl Lease {
    pub(crate) fn new(
        driver: Arc<Driver>,
        held: Held,
        ttl: Ttl,
        fencing: Option<Duration>,
        renew_limit: Option<Duration>,
    ) -> Arc<Self> {
        let Held { owned, valid_until, token, own_moves } = held;
        driver.meters.held();
        let acquired_at = driver.env.now();
        let renew_until = renew_limit.map(|limit| acquired_at.saturating_add(limit));
        let status = Mutex::new(Status { valid_until, token, failing: false, ended: None });
        let changed = Notify::new();
        Arc::new(Self { driver, owned, ttl, acquired_at, fencing, renew_until, own_moves, status, changed })
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn owned(&self) -> &Arc<Owned> {
        &self.owned
    }

    pub(crate) fn ttl(&self) -> Ttl {
        self.ttl
    }

    pub(crate) fn token(&self) -> Option<FencingToken> {
        self.status().token
    }

    /// Makes `top` its token, unless it has a greater one, and returns once a quorum stores it.
    pub(crate) async fn raise_token(&self, top: FencingToken) -> Result<(), ExtendError> {
        let raised = {
            let mut status = self.status();
            let below = status.token.is_some_and(|token| token < top);
            if below {
                status.token = Some(top);
            }
            below
        };
        // Extending carries the token to the nodes.
        if raised { self.extend().await.map(drop) } else { Ok(()) }
    }

    pub(crate) fn acquired_at(&self) -> Instant {
        self.acquired_at
    }

    pub(crate) fn valid_until(&self) -> Instant {
        self.status().valid_until
    }

    pub(crate) fn now(&self) -> Instant {
        self.driver.env.now()
    }

    /// Exact: the clock is read now.
    pub(crate) fn state(&self) -> LockState {
        let status = *self.status();
        match status.ended {
            Some(Ended::Lost(reason)) => LockState::Lost(reason),
            Some(Ended::Released) => LockState::Released,
            None if self.now() >= status.valid_until => LockState::Lost(self.expiry_reason()),
            None if status.failing => LockState::Suspect { until: status.valid_until },
            None => LockState::Held,
        }
    }

    /// Whether renewal has come to the limit that was set for it.
    pub(crate) fn is_past_renew_limit(&self) -> bool {
        self.renew_until.is_some_and(|limit| self.now() >= limit)
    }

    fn expiry_reason(&self) -> LostReason {
        if self.is_past_renew_limit() { LostReason::RenewLimit } else { LostReason::Expired }
    }

    /// Runs one round of extend and takes its result in.
    pub(crate) async fn extend(&self) -> Result<Instant, ExtendError> {
        match self.state() {
            LockState::Lost(reason) => return Err(ExtendError::Lost(reason)),
            LockState::Released => return Err(ExtendError::Released),
            LockState::Held | LockState::Suspect { .. } => {}
        }
        let fence =
            self.token().zip(self.fencing).map(|(token, retention)| Raise::new(token.get(), retention));
        let (env, meters) = (&*self.driver.env, &self.driver.meters);
        let began = meters.now(env);
        let extension = self.driver.extend(&self.owned, self.ttl, self.valid_until(), fence).await;
        let result = self.take_in(extension);
        meters.extended(began, env, &result);
        result
    }

    fn take_in(&self, extension: Extension) -> Result<Instant, ExtendError> {
        match extension {
            Extension::Extended { valid_until } => self.prolong(valid_until),
            Extension::Lost(reason) => {
                self.lose(reason);
                Err(self.ended_error().unwrap_or(ExtendError::Lost(reason)))
            }
            Extension::Failed(nodes) => {
                self.fail(&nodes);
                Err(self
                    .ended_error()
                    .unwrap_or(ExtendError::Failed { name: self.owned.name.clone(), nodes }))
            }
        }
    }

    /// A quorum has extended it. Too late, it changes nothing: what is lost stays lost.
    fn prolong(&self, valid_until: Instant) -> Result<Instant, ExtendError> {
        let mut status = self.status();
        if status.ended.is_none()
            && (self.now() < status.valid_until || !self.driver.protections.extend_in_time())
        {
            status.valid_until = status.valid_until.max(valid_until);
            let healed = std::mem::take(&mut status.failing);
            let valid_until = status.valid_until;
            drop(status);
            if healed {
                events::lock_healthy(&self.owned.name);
            }
            self.changed.notify_waiters();
            return Ok(valid_until);
        }
        drop(status);
        Err(self.ended_error().unwrap_or(ExtendError::Lost(LostReason::Expired)))
    }

    fn ended_error(&self) -> Option<ExtendError> {
        match self.state() {
            LockState::Lost(reason) => Some(ExtendError::Lost(reason)),
            LockState::Released => Some(ExtendError::Released),
            LockState::Held | LockState::Suspect { .. } => None,
        }
    }

    fn fail(&self, nodes: &[NodeReport]) {
        let mut status = self.status();
        let first = !status.failing && status.ended.is_none();
        status.failing = true;
        let remaining = status.valid_until.saturating_since(self.now());
        drop(status);
        if first {
            events::lock_suspect(&self.owned.name, remaining, nodes);
            self.changed.notify_waiters();
        } else {
            events::renewal_attempt_failed(&self.owned.name, nodes);
        }
    }

    /// Ends it as lost, unless it has ended already; what is left on nodes is released.
    pub(crate) fn lose(&self, reason: LostReason) {
        if self.end(Ended::Lost(reason)) {
            events::lock_lost(&self.owned.name, reason);
            self.driver.release_in_background(&self.owned, || ());
        }
    }

    /// Ends it as lost if our clock was found wrong since it was asked for.
    pub(crate) fn lose_if_clock_moved(&self) {
        if self.driver.own_moves() != self.own_moves {
            self.lose(LostReason::ClockMoved);
        }
    }

    /// When it is lost, unless it is renewed before: a moment ahead of the end of its validity.
    pub(crate) fn lost_at(&self) -> Instant {
        let lead = if self.driver.protections.lost_ahead() { LEAD } else { Duration::ZERO };
        self.valid_until().saturating_sub(lead)
    }

    /// Ends it as lost if its validity has passed, or is about to.
    pub(crate) fn lose_if_expired(&self) -> bool {
        let expired = self.now() >= self.lost_at();
        if expired {
            self.lose(self.expiry_reason());
        }
        expired
    }

    /// Ends it as released; says how it was lost, if it was.
    pub(crate) fn release(&self) -> Option<LostReason> {
        self.lose_if_expired();
        if self.end(Ended::Released) {
            return None;
        }
        match self.status().ended {
            Some(Ended::Lost(reason)) => Some(reason),
            Some(Ended::Released) | None => None,
        }
    }

    fn end(&self, how: Ended) -> bool {
        let mut status = self.status();
        let first = status.ended.is_none();
        status.ended.get_or_insert(how);
        drop(status);
        if first {
            let lost = if let Ended::Lost(reason) = how { Some(reason) } else { None };
            self.driver.meters.ended(lost, || self.now().saturating_since(self.acquired_at));
            self.changed.notify_waiters();
        }
        first
    }

    /// Completes when it is no longer held; level-triggered. `None`: it was released.
    pub(crate) async fn lost(&self) -> Option<LostReason> {
        self.until(|lease, _| {
            lease.lose_if_expired();
            match lease.state() {
                LockState::Lost(reason) => Ok(Some(reason)),
                LockState::Released => Ok(None),
                LockState::Held | LockState::Suspect { .. } => Err(lease.lost_at()),
            }
        })
        .await
    }

    /// Completes when less than `margin` of the validity is left, or none.
    pub(crate) async fn at_risk(&self, margin: Duration) {
        self.until(|lease, status| {
            let end = status.valid_until.saturating_sub(margin);
            if status.ended.is_some() || lease.now() >= end { Ok(()) } else { Err(end) }
        })
        .await
    }

    /// Completes with the next state that differs from `state`.
    pub(crate) async fn changed_from(&self, state: LockState) -> LockState {
        // What has ended stays as it is: there is no point in time to look again.
        if matches!(state, LockState::Lost(_) | LockState::Released) && self.state() == state {
            return std::future::pending().await;
        }
        self.until(|lease, status| match lease.state() {
            same if same == state => Err(status.valid_until),
            other => Ok(other),
        })
        .await
    }

    /// Asks `check` now, after every change, and at the point that it names.
    async fn until<T>(&self, check: impl Fn(&Self, Status) -> Result<T, Instant>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let status = *self.status();
            let at = match check(self, status) {
                Ok(done) => return done,
                Err(at) => at,
            };
            futures::future::select(changed, self.driver.env.sleep_until(at)).await;
        }
    }
}
