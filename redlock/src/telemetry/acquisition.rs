//! One acquisition, from the call to its answer: its span and its metrics.

use tracing::Span;
use tracing::field::{Empty, debug};

use super::Meters;
use super::target::LOCK;
use crate::env::Env;
use crate::id::{FencingToken, Instant, LockName};

/// How an acquisition ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    Acquired,
    /// Somebody else has it.
    Busy,
    /// Too few nodes answered.
    Unavailable,
    /// No round could be begun: shut down, or no owner token could be drawn.
    Failed,
    /// Its future was dropped.
    Cancelled,
}

impl Outcome {
    /// In the order of the variants.
    pub(super) const LABELS: [&str; 5] = ["acquired", "busy", "unavailable", "failed", "cancelled"];
}

/// Reports when it is dropped; cancelled, unless [`Acquisition::end`] has said otherwise.
#[derive(Debug)]
pub(crate) struct Acquisition<'a> {
    meters: &'a Meters,
    env: &'a dyn Env,
    /// A child of the caller's span. It is never entered: nothing below it reports anything.
    span: Span,
    started: Instant,
    /// When the latest round began; only where there are metrics.
    round: Option<Instant>,
    rounds: u32,
    outcome: Outcome,
}

impl<'a> Acquisition<'a> {
    pub(crate) fn begin(meters: &'a Meters, env: &'a dyn Env, started: Instant, lock: &LockName) -> Self {
        let span = tracing::debug_span!(
            target: LOCK, "acquire", %lock, outcome = Empty, waited = Empty, attempts = Empty, token = Empty
        );
        meters.waiting();
        Self { meters, env, span, started, round: None, rounds: 0, outcome: Outcome::Cancelled }
    }

    /// A round begins.
    pub(crate) fn round(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        self.round = self.meters.now(self.env);
    }

    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    pub(crate) fn acquired(&mut self, token: Option<FencingToken>) {
        self.outcome = Outcome::Acquired;
        if let Some(token) = token {
            self.span.record("token", token.get());
        }
    }
}

impl Drop for Acquisition<'_> {
    fn drop(&mut self) {
        self.meters.waited();
        if cfg!(feature = "metrics") || !self.span.is_disabled() {
            let took = self.env.now().saturating_since(self.started);
            let idle = self.round.map(|round| round.saturating_since(self.started));
            self.meters.acquisition(self.outcome, took, idle.unwrap_or(took), self.rounds);
            let outcome = Outcome::LABELS[self.outcome as usize];
            self.span
                .record("outcome", outcome)
                .record("waited", debug(took))
                .record("attempts", self.rounds);
        }
    }
}
