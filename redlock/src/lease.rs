//! What a process has of a lock: an owner token on the nodes, until when it is valid, and how it ended. Shared by renewal and by
//! all who watch it.
//!
//! The holders of this process may have it one after the other: each has a [`Hold`] of it, with a fencing token of its own
//! (docs/protocol.md, "Handing over").

mod hold;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub(crate) use hold::Hold;

use crate::driver::{Driver, Extension, Held, Owned};
use crate::error::{ExtendError, LostReason, NodeReport};
use crate::holder::Introduction;
use crate::id::{FencingToken, Instant, Ttl};
use crate::node::Raise;
use crate::telemetry::events;

/// A loss by expiry is reported this much before the validity ends: a timer never fires early, and the holder must
/// hear of it no later than `valid_until`.
const LEAD: Duration = Duration::from_millis(1);

/// For so long a lease is handed over from one holder to the next. When it has taken longer, the network's share of the time
/// does not matter any more, and other processes have waited long enough.
const LONGEST: Duration = Duration::from_millis(100);

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
    /// Why there is nothing to extend any more; `Ok` while it is held.
    fn held(self) -> Result<(), ExtendError> {
        match self {
            Self::Lost(reason) => Err(ExtendError::Lost(reason)),
            Self::Released => Err(ExtendError::Released),
            Self::Held | Self::Suspect { .. } => Ok(()),
        }
    }

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
    /// When the nodes have granted it.
    began: Instant,
    /// How long a quorum took to do so.
    took: Duration,
    /// How long nodes keep its fencing counter beyond its end.
    fencing: Option<Duration>,
    /// [`Driver::own_moves`] when it was asked for.
    own_moves: u64,
    status: Mutex<Status>,
    changed: Notify,
}

#[derive(Debug)]
struct Status {
    valid_until: Instant,
    failing: bool,
    ended: Option<Ended>,
    /// What renewals ask for.
    ttl: Ttl,
    /// The last token of its span, which a quorum stores.
    top: Option<FencingToken>,
    /// The token of the hold that has it now.
    token: Option<FencingToken>,
    /// When the hold that has it now has begun.
    acquired_at: Instant,
    /// No renewal is started after this point.
    renew_until: Option<Instant>,
    /// What the hold that has it now says of itself; nodes are told with the next extension.
    introduction: Introduction,
    /// How many more holds may follow; `None`: it is never handed over.
    left: Option<u32>,
    /// When the validity ended, as things stood, for each hold that has handed it over. The hold that has it now is the next.
    former: Vec<Instant>,
}

impl Status {
    /// The number of the hold that has it now.
    fn hold(&self) -> usize {
        self.former.len()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Lost(LostReason),
    Released,
}

/// What came of an attempt to hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// The hold has ended; the lease waits for the next.
    Passed,
    /// It is the turn of other processes.
    Bound,
    /// There is nothing to hand over, or it is not wanted.
    Never,
}

/// How a lease is to be held.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) ttl: Ttl,
    /// How long it is renewed.
    pub(crate) renew_limit: Option<Duration>,
    /// What its holder says of itself.
    pub(crate) introduction: Introduction,
}

impl Lease {
    /// Its first hold has begun. `handoff`: as many further holds have tokens in the span that was asked for; `None`: it is
    /// never handed over.
    pub(crate) fn new(
        driver: Arc<Driver>,
        held: Held,
        terms: &Terms,
        fencing: Option<Duration>,
        handoff: Option<u32>,
    ) -> Arc<Self> {
        let Held { owned, valid_until, took, token: top, own_moves, introduction } = held;
        driver.meters.held();
        let began = driver.env.now();
        // Above every token before: each node's counter has moved by the whole span (docs/protocol.md, "Handing over").
        let first = top.and_then(|top| FencingToken::new(top.get().checked_sub(handoff?.into())?));
        // A node that counts no spans has given one token, which is the top.
        let (token, left) = if first.is_some() || top.is_none() { (first, handoff) } else { (top, None) };
        let status = Mutex::new(Status {
            valid_until,
            failing: false,
            ended: None,
            ttl: terms.ttl,
            top,
            token,
            acquired_at: began,
            renew_until: terms.renew_limit.map(|limit| began.saturating_add(limit)),
            introduction,
            left,
            former: Vec::new(),
        });
        let changed = Notify::new();
        Arc::new(Self { driver, owned, began, took, fencing, own_moves, status, changed })
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn owned(&self) -> &Arc<Owned> {
        &self.owned
    }

    pub(crate) fn ttl(&self) -> Ttl {
        self.status().ttl
    }

    /// How long its nodes took to grant it.
    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    /// The hold that has it now.
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        let status = self.status();
        self.hold_of(&status)
    }

    fn hold_of(self: &Arc<Self>, status: &Status) -> Hold {
        Hold {
            lease: Arc::clone(self),
            number: status.hold(),
            token: status.token,
            acquired_at: status.acquired_at,
            ttl: status.ttl,
        }
    }

    /// Ends `hold` in order, so that the next can begin, with the next token. Ending it, counting and making way is one step: a
    /// loss comes before it and ends this hold, or behind it and does not.
    pub(crate) fn pass_on(&self, hold: &Hold) -> Passing {
        let protections = &self.driver.protections;
        let mut status = self.status();
        let now = self.now();
        let Some(left) = status.left else { return Passing::Never };
        if status.ended.is_some() || hold.number != status.hold() || now >= self.lost_at_of(&status) {
            return Passing::Never;
        }
        let is_long = now.saturating_since(self.began) >= LONGEST && protections.handoff_bound();
        let Some(left) = left.checked_sub(1).filter(|_| !is_long) else { return Passing::Bound };
        status.left = Some(left);
        if protections.handoff_token() {
            status.token = status.token.and_then(|token| FencingToken::new(token.get() + 1));
        }
        let valid_until = status.valid_until;
        status.former.push(valid_until);
        let held_for = now.saturating_since(std::mem::replace(&mut status.acquired_at, now));
        // Whoever is to take it may not get to run: it must not be kept for ever.
        status.renew_until = Some(now.saturating_add(status.ttl.get()));
        drop(status);
        self.driver.meters.handed_over(held_for);
        self.changed.notify_waiters();
        Passing::Passed
    }

    /// Begins the next hold on its own terms; `None` if too little of the validity is left for it, or none.
    pub(crate) fn begin(self: &Arc<Self>, terms: &Terms) -> Option<Hold> {
        let mut status = self.status();
        let now = self.now();
        let is_over = status.ended.is_some() || now >= self.lost_at_of(&status);
        let left = status.valid_until.saturating_since(now);
        let suits = !is_over && status.ttl >= terms.ttl && left >= terms.ttl.get() / 2;
        if !suits && self.driver.protections.handoff_validity() {
            return None;
        }
        status.ttl = terms.ttl;
        status.introduction = terms.introduction.now(&*self.driver.env);
        status.acquired_at = now;
        status.renew_until = terms.renew_limit.map(|limit| now.saturating_add(limit));
        Some(self.hold_of(&status))
    }

    /// Extends it for a hold with this TTL that is to begin.
    pub(crate) async fn extend_for(&self, ttl: Ttl) -> Result<Instant, ExtendError> {
        self.status().ttl = ttl;
        self.extend().await
    }

    /// Gives the hold that has it now the token `token`, which is greater than those of all holders before, and returns once a
    /// quorum stores it. It is handed over no more: the tokens behind it may be another's.
    pub(crate) async fn raise_token(&self, token: FencingToken) -> Result<(), ExtendError> {
        let is_stored = {
            let mut status = self.status();
            status.left = None;
            status.token = status.token.max(Some(token));
            let is_stored = status.top >= Some(token);
            status.top = status.top.max(Some(token));
            is_stored
        };
        // Extending carries the token to the nodes.
        if is_stored { Ok(()) } else { self.extend().await.map(drop) }
    }

    /// Says this of the hold with that number, from the next extension on; not if it has been handed over.
    fn introduce(&self, number: usize, text: Arc<str>) {
        let mut status = self.status();
        if number == status.hold() {
            status.introduction = status.introduction.says(text);
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.driver.env.now()
    }

    fn valid_until(&self) -> Instant {
        self.status().valid_until
    }

    /// Exact: the clock is read now.
    pub(crate) fn state(&self) -> LockState {
        self.state_of(&self.status())
    }

    fn state_of(&self, status: &Status) -> LockState {
        match status.ended {
            Some(Ended::Lost(reason)) => LockState::Lost(reason),
            Some(Ended::Released) => LockState::Released,
            None if self.now() >= status.valid_until => LockState::Lost(self.expiry_reason(status)),
            None if status.failing => LockState::Suspect { until: status.valid_until },
            None => LockState::Held,
        }
    }

    /// Where one of its holds stands. One that was handed over has ended in order, whatever becomes of the lease.
    fn state_of_hold(&self, number: usize) -> LockState {
        let status = self.status();
        if number < status.hold() && self.driver.protections.handoff_hold() {
            return LockState::Released;
        }
        self.state_of(&status)
    }

    /// Whether renewal has come to the limit that was set for it.
    pub(crate) fn is_past_renew_limit(&self) -> bool {
        let limit = self.status().renew_until;
        limit.is_some_and(|limit| self.now() >= limit)
    }

    fn expiry_reason(&self, status: &Status) -> LostReason {
        let is_limited = status.renew_until.is_some_and(|limit| self.now() >= limit);
        if is_limited { LostReason::RenewLimit } else { LostReason::Expired }
    }

    /// Runs one round of extend and takes its result in.
    pub(crate) async fn extend(&self) -> Result<Instant, ExtendError> {
        self.extend_by(1).await
    }

    /// The same without prolonging anything, unless less than half of the TTL is left: nodes wake all who wait for a key that changes.
    async fn tell(&self) -> Result<Instant, ExtendError> {
        self.extend_by(2).await
    }

    /// Runs one round of extend by a part of the TTL.
    async fn extend_by(&self, part: u32) -> Result<Instant, ExtendError> {
        self.state().held()?;
        let (whole, valid_until, token, description) = {
            let status = self.status();
            // The tokens of the span belong to this lease up to the last, whoever has it.
            let token = if self.driver.protections.fence_top() { status.top } else { status.token };
            (status.ttl, status.valid_until, token, status.introduction.description())
        };
        let ttl = Ttl::new(whole.get() / part).unwrap_or(whole);
        // From now on, the counter is kept for as long as ever.
        let beyond = whole.get().saturating_sub(ttl.get());
        let raise = |(token, retention): (FencingToken, Duration)| {
            Raise::new(token.get(), retention.saturating_add(beyond))
        };
        let fence = token.zip(self.fencing).map(raise);
        let (env, meters) = (&*self.driver.env, &self.driver.meters);
        let began = meters.now(env);
        let extension = self.driver.extend(&self.owned, ttl, valid_until, fence, description).await;
        let result = self.take_in(extension);
        meters.extended(began, env, &result);
        result
    }

    fn take_in(&self, extension: Extension) -> Result<Instant, ExtendError> {
        match extension {
            Extension::Extended { valid_until } => self.prolong(valid_until),
            Extension::Lost(reason) => {
                self.lose(reason);
                self.state().held()?;
                Err(ExtendError::Lost(reason))
            }
            Extension::Failed(nodes) => {
                self.fail(&nodes);
                self.state().held()?;
                Err(ExtendError::Failed { name: self.owned.name.clone(), nodes })
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
        self.state().held()?;
        Err(ExtendError::Lost(LostReason::Expired))
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

    /// Ends it as lost, unless it has ended already; what is left on nodes is released, but not where others are to be kept out
    /// until whoever has it has let go.
    pub(crate) fn lose(&self, reason: LostReason) {
        if self.end(Ended::Lost(reason)) {
            events::lock_lost(&self.owned.name, reason);
            if self.owned.takeover_delay.is_zero() {
                self.driver.release_in_background(&self.owned, || ());
            }
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
        self.lost_at_of(&self.status())
    }

    fn lost_at_of(&self, status: &Status) -> Instant {
        let lead = if self.driver.protections.lost_ahead() { LEAD } else { Duration::ZERO };
        status.valid_until.saturating_sub(lead)
    }

    /// Ends it as lost if its validity has passed, or is about to.
    pub(crate) fn lose_if_expired(&self) -> bool {
        let expired = {
            let status = self.status();
            (self.now() >= self.lost_at_of(&status)).then(|| self.expiry_reason(&status))
        };
        if let Some(reason) = expired {
            self.lose(reason);
        }
        expired.is_some()
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
        let acquired_at = status.acquired_at;
        drop(status);
        if first {
            let lost = if let Ended::Lost(reason) = how { Some(reason) } else { None };
            self.driver.meters.ended(lost, || self.now().saturating_since(acquired_at));
            self.changed.notify_waiters();
        }
        first
    }

    /// Completes when it has ended, whoever has it; `None`: it was released.
    pub(crate) async fn lost(&self) -> Option<LostReason> {
        self.until_lost(Self::state).await
    }

    /// Completes when what `state` tells of it has ended.
    async fn until_lost(&self, state: impl Fn(&Self) -> LockState) -> Option<LostReason> {
        self.until(|lease| {
            lease.lose_if_expired();
            match state(lease) {
                LockState::Lost(reason) => Ok(Some(reason)),
                LockState::Released => Ok(None),
                LockState::Held | LockState::Suspect { .. } => Err(lease.lost_at()),
            }
        })
        .await
    }

    /// Asks `check` now, after every change, and at the point that it names.
    async fn until<T>(&self, check: impl Fn(&Self) -> Result<T, Instant>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let at = match check(self) {
                Ok(done) => return done,
                Err(at) => at,
            };
            futures::future::select(changed, self.driver.env.sleep_until(at)).await;
        }
    }
}
