//! Looks at a key, each of which has the server tell of the key's next change.

use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::Resp3Frame;
use futures::future::{Either, select};

use super::{User, cannot_tell};
use crate::backend::redis::acl;
use crate::backend::redis::connection::{Connection, Exchange, Outcome, Wish};
use crate::backend::redis::failure::{Failure, refused_by_server};
use crate::backend::redis::reply;
use crate::env::jitter;
use crate::id::Instant;
use crate::node::watchers::Watcher;
use crate::node::{NodeError, NodeErrorKind};

/// A key that is watched is read at least so often, after a time drawn from this one to half as much again: an expiry that
/// the server has not come to, a `FLUSHALL`, and whatever else is not told.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A waiter whose key changes all the time makes so many looks of its own at once, and then one in this time.
const LOOKS_AT_ONCE: u32 = 10;
const LOOK_SPACING: Duration = Duration::from_millis(20);

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Free,
    /// With what its holder has left, unless it has no end.
    Held(Option<Duration>),
    /// It must be looked at.
    Unknown,
}

impl Seen {
    /// The answer to `PTTL`.
    pub(super) fn read(frame: &Resp3Frame) -> Option<Self> {
        match frame {
            Resp3Frame::Number { data: -2, .. } => Some(Self::Free),
            Resp3Frame::Number { data, .. } => {
                Some(Self::Held(u64::try_from(*data).ok().map(Duration::from_millis)))
            }
            _ => None,
        }
    }
}

/// Reads a key, so that its next change is told.
pub(super) fn look(connection: &Arc<Connection>, key: &[u8]) -> Result<Exchange, Failure> {
    let exchange = connection.call("PTTL", vec![key.to_vec().into_boxed_slice().into()]);
    exchange.map_err(|_| Failure::new(NodeErrorKind::Overloaded, "too many requests are waiting"))
}

/// Keeps looks from following each other too fast in the long run.
pub(super) struct Pace {
    at_once: u32,
    spacing: Duration,
    /// The looks have used up their share of time up to here.
    spent: Instant,
}

impl Pace {
    pub(super) fn new(at_once: u32, spacing: Duration) -> Self {
        Self { at_once, spacing, spent: Instant::from_nanos(0) }
    }

    /// Takes the next look, and says when it may be made.
    pub(super) fn take(&mut self, now: Instant) -> Instant {
        self.spent = self.after(now);
        self.spent
    }

    /// Takes the next look if it may be made now.
    pub(super) fn take_now(&mut self, now: Instant) -> bool {
        let may = self.after(now) <= now;
        if may {
            self.take(now);
        }
        may
    }

    fn after(&self, now: Instant) -> Instant {
        self.spent.max(now.saturating_sub(self.spacing * self.at_once)).saturating_add(self.spacing)
    }
}

/// Looks at one key for one who waits.
pub(super) struct Look {
    node: Arc<str>,
    key: Vec<u8>,
    connection: Arc<Connection>,
    watcher: Watcher<Vec<u8>, Seen>,
    pace: Pace,
    user: User,
}

impl Look {
    pub(super) fn new(node: Arc<str>, key: Vec<u8>, connection: Arc<Connection>, user: User) -> Self {
        let watcher = user.0.watchers.watch(key.clone());
        Self { node, key, connection, watcher, pace: Pace::new(LOOKS_AT_ONCE, LOOK_SPACING), user }
    }

    /// Reads the key.
    pub(super) async fn once(&mut self) -> Result<Seen, NodeError> {
        // Before the server sees the request: what it tells behind the answer is not taken for what it told before.
        self.watcher.look_anew();
        let shared = &self.user.0.shared;
        let exchange = look(&self.connection, &self.key).map_err(|why| cannot_tell(&self.node, &why))?;
        let patience = shared.config.connect_timeout;
        let limit = shared.env.sleep_until(shared.env.now().saturating_add(patience));
        let outcome = match select(exchange, limit).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => {
                self.connection.ask(Wish::Close);
                let why = format!("no answer within {patience:?}");
                return Err(cannot_tell(&self.node, &Failure::new(NodeErrorKind::Timeout, why)));
            }
        };
        let frame = match outcome {
            Outcome::Answered(frame) => frame,
            Outcome::NotSent(why) => return Err(cannot_tell(&self.node, &why)),
            Outcome::Lost(why) => {
                return Err(cannot_tell(&self.node, &Failure::new(NodeErrorKind::Disconnected, why)));
            }
        };
        if let Some(text) = reply::error(&frame) {
            let rights = || acl::rule(&shared.config);
            return Err(refused_by_server(&self.node, "watch", &text, rights));
        }
        let seen = Seen::read(&frame).ok_or_else(|| {
            let why = Failure::new(NodeErrorKind::Protocol, "its answer to PTTL is no number");
            cannot_tell(&self.node, &why)
        })?;
        self.user.0.guesses.seen(&self.key, seen, shared.env.now());
        Ok(seen)
    }

    /// Waits until something is known of the key, it has expired, or it was not looked at for long.
    pub(super) async fn wait(&mut self, left: Option<Duration>) -> Seen {
        let env = Arc::clone(&self.user.0.shared.env);
        let half = u64::try_from(LOOK_EVERY.as_nanos() / 2).unwrap_or(u64::MAX);
        let routine = LOOK_EVERY.saturating_add(Duration::from_nanos(jitter(&*env) % half));
        // A millisecond later, so that it has expired.
        let expired = left.map_or(Duration::MAX, |left| left.saturating_add(Duration::from_millis(1)));
        let timer = env.sleep_until(env.now().saturating_add(expired.min(routine)));
        let seen = match select(std::pin::pin!(self.watcher.told()), timer).await {
            Either::Left((seen, _)) => seen,
            Either::Right(_) => Seen::Unknown,
        };
        if seen == Seen::Unknown {
            env.sleep_until(self.pace.take(env.now())).await;
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_free_at_first_and_then_spaced_until_time_has_passed() {
        let at = |millis: u64| Instant::from_nanos(1_000_000_000_000 + millis * 1_000_000);
        let mut pace = Pace::new(10, Duration::from_millis(20));
        assert_eq!((0..100).take_while(|_| pace.take_now(at(0))).count(), 10);
        assert_eq!([pace.take(at(0)), pace.take(at(0))], [at(20), at(40)]);
        assert!(!pace.take_now(at(59)) && pace.take_now(at(60)) && !pace.take_now(at(60)));
        assert_eq!((0..100).take_while(|_| pace.take_now(at(10_000))).count(), 10);
    }

    #[test]
    fn only_minus_two_is_free() {
        let seen = |data| Seen::read(&Resp3Frame::Number { data, attributes: None });
        assert_eq!(seen(-2), Some(Seen::Free));
        for endless in [-1, -3, i64::MIN] {
            assert_eq!(seen(endless), Some(Seen::Held(None)));
        }
        assert_eq!(seen(7), Some(Seen::Held(Some(Duration::from_millis(7)))));
        assert_eq!(Seen::read(&Resp3Frame::Null), None);
    }
}
