//! What can happen to a request.

use std::ops::Range;
use std::time::Duration;

use crate::env::Env;
use crate::node::{Effect, NodeErrorKind};

/// What happens to a request and its reply. Every fault can be combined with delays.
#[derive(Debug, Clone)]
pub struct Fault {
    pub(super) fate: Fate,
    pub(super) before: Delay,
    pub(super) after: Delay,
}

#[derive(Debug, Clone)]
pub(super) enum Fate {
    Deliver,
    DropRequest,
    DropReply,
    Refuse,
    Fail(NodeErrorKind, Effect),
    FailAfterEffect(NodeErrorKind),
    Duplicate(Delay),
}

/// A time that something takes: fixed, or drawn anew for every request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delay {
    at_least: Duration,
    spread: Duration,
}

impl Fault {
    /// All goes well.
    pub fn none() -> Self {
        Self::of(Fate::Deliver)
    }

    /// All goes well, but slowly: `before` until it arrives at the node, `after` until the reply is back.
    pub fn delay(before: impl Into<Delay>, after: impl Into<Delay>) -> Self {
        Self::none().with_delay(before, after)
    }

    /// The request never reaches the node; its future never completes.
    pub fn drop_request() -> Self {
        Self::of(Fate::DropRequest)
    }

    /// The request takes effect; its future never completes.
    pub fn drop_reply() -> Self {
        Self::of(Fate::DropReply)
    }

    /// No connection: fails at once with [`NodeErrorKind::Unreachable`] and [`Effect::None`].
    pub fn refuse() -> Self {
        Self::of(Fate::Refuse)
    }

    /// Does not take effect and fails so. With [`Effect::Unknown`] the caller cannot know that it did not.
    pub fn fail(kind: NodeErrorKind, effect: Effect) -> Self {
        Self::of(Fate::Fail(kind, effect))
    }

    /// Takes effect, and fails with this kind and [`Effect::Unknown`].
    pub fn fail_after_effect(kind: NodeErrorKind) -> Self {
        Self::of(Fate::FailAfterEffect(kind))
    }

    /// Takes effect twice, the second time so much later, past whatever was sent meanwhile; with no time between them,
    /// nothing else runs in between. The reply is the first's.
    pub fn duplicate(later: impl Into<Delay>) -> Self {
        Self::of(Fate::Duplicate(later.into()))
    }

    /// This fault, with delays: `before` until it arrives at the node, `after` until the reply is back.
    #[must_use]
    pub fn with_delay(self, before: impl Into<Delay>, after: impl Into<Delay>) -> Self {
        Self { before: before.into(), after: after.into(), ..self }
    }

    fn of(fate: Fate) -> Self {
        Self { fate, before: Delay::default(), after: Delay::default() }
    }
}

impl Delay {
    /// The delay of one request.
    pub(super) fn draw(self, env: &dyn Env) -> Duration {
        let spread = u64::try_from(self.spread.as_nanos()).unwrap_or(u64::MAX);
        if spread == 0 {
            return self.at_least;
        }
        self.at_least.saturating_add(Duration::from_nanos(crate::env::jitter(env) % spread))
    }
}

impl From<Duration> for Delay {
    fn from(fixed: Duration) -> Self {
        Self { at_least: fixed, spread: Duration::ZERO }
    }
}

impl From<Range<Duration>> for Delay {
    fn from(range: Range<Duration>) -> Self {
        Self { at_least: range.start, spread: range.end.saturating_sub(range.start) }
    }
}
