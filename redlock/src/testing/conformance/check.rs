//! A check: a clause of the contract, when it applies, and how it is looked at.

use std::fmt;

use futures::future::LocalBoxFuture;

use super::bench::Bench;
use super::{Subject, stage};
use crate::node::{Abilities, Durability, LateRequests, Standing};

/// What running a check's body comes to.
pub(super) type Verdict<T = ()> = Result<T, Stop>;

/// The clause is broken.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) expected: String,
    pub(super) found: String,
}

impl Stop {
    pub(super) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }
}

/// Fails unless it is so.
pub(super) fn expect(is_so: bool, expected: &str, found: impl FnOnce() -> String) -> Verdict {
    if is_so { Ok(()) } else { Err(Stop::new(expected, found())) }
}

/// One clause of the contract of [`Node`](crate::node::Node), as something that can be looked at.
#[derive(Clone, Copy)]
pub struct Check {
    pub(super) name: &'static str,
    pub(super) clause: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) body: fn(Bench) -> LocalBoxFuture<'static, Verdict>,
}

/// A check of the function's name.
macro_rules! check {
    ($body:ident, [$($need:ident),*], $clause:literal) => {
        $crate::testing::conformance::check::Check {
            name: stringify!($body),
            clause: $clause,
            needs: &[$($crate::testing::conformance::check::Need::$need),*],
            body: |bench| Box::pin($body(bench)),
        }
    };
}
pub(super) use check;

impl Check {
    /// Its name, which says what holds: `a_release_repeated_changes_nothing`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The clause of the contract that it is about.
    pub fn clause(&self) -> &'static str {
        self.clause
    }

    /// When it applies: always, if there is nothing.
    pub fn needs(&self) -> &'static [Need] {
        self.needs
    }

    /// Runs it alone on fresh clients. See [`run`](super::run) for all of them.
    pub fn run(&self, subject: &Subject) -> Outcome {
        let report = stage::run(subject, vec![*self]);
        report.entries().first().map_or(Outcome::Ok, |entry| entry.outcome().clone())
    }

    /// Whether it disturbs others on the same store.
    pub(super) fn is_alone(&self) -> bool {
        self.needs.iter().any(|need| need.disturbs())
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// When a check applies. `Display` says it in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Need {
    /// [`Abilities::fencing`].
    Fencing,
    /// No [`Abilities::fencing`].
    NoFencing,
    /// [`Abilities::descriptions`].
    Descriptions,
    /// [`Abilities::notification`].
    Notification,
    /// No [`Abilities::notification`].
    NoNotification,
    /// [`LateRequests::Refused`].
    LateRefused,
    /// [`LateRequests::EndsInTime`].
    LateEndsInTime,
    /// [`Durability::Durable`].
    Durable,
    /// [`Abilities::settable_clock`].
    SettableClock,
    /// A [`standing`](crate::node::Node::standing) that is not [`Standing::Unguarded`].
    Marker,
    /// [`Standing::Unguarded`].
    NoMarker,
    /// [`Subject::pausing`].
    Pausing,
    /// [`Subject::restarting`].
    Restarting,
    /// [`Subject::forgetting`].
    Forgetting,
}

impl Need {
    /// Whether checks with this need disturb others on the same store.
    fn disturbs(self) -> bool {
        matches!(self, Self::Marker | Self::Pausing | Self::Restarting | Self::Forgetting)
    }

    pub(super) fn is_met(self, subject: &Subject, abilities: &Abilities, standing: Standing) -> bool {
        match self {
            Self::Fencing => abilities.fencing,
            Self::NoFencing => !abilities.fencing,
            Self::Descriptions => abilities.descriptions,
            Self::Notification => abilities.notification,
            Self::NoNotification => !abilities.notification,
            Self::LateRefused => abilities.late_requests == LateRequests::Refused,
            Self::LateEndsInTime => abilities.late_requests == LateRequests::EndsInTime,
            Self::Durable => abilities.durability == Durability::Durable,
            Self::SettableClock => abilities.settable_clock,
            Self::Marker => standing != Standing::Unguarded,
            Self::NoMarker => standing == Standing::Unguarded,
            Self::Pausing => subject.pause.is_some(),
            Self::Restarting => subject.restart.is_some(),
            Self::Forgetting => subject.forget.is_some(),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fencing => "for nodes with fencing counters (`Abilities::fencing`)",
            Self::NoFencing => "for nodes without fencing counters (`Abilities::fencing`)",
            Self::Descriptions => "for nodes that keep descriptions (`Abilities::descriptions`)",
            Self::Notification => "for nodes that notify (`Abilities::notification`)",
            Self::NoNotification => "for nodes that do not notify (`Abilities::notification`)",
            Self::LateRefused => "for nodes that refuse late requests (`Abilities::late_requests`)",
            Self::LateEndsInTime => "for nodes whose late grants end in time (`Abilities::late_requests`)",
            Self::Durable => "for durable nodes (`Abilities::durability`)",
            Self::SettableClock => "for nodes whose clock can be set (`Abilities::settable_clock`)",
            Self::Marker => "for nodes with a marker (`Node::standing`)",
            Self::NoMarker => "for nodes without a marker (`Node::standing`)",
            Self::Pausing => "the store cannot be stopped here (`Subject::pausing`)",
            Self::Restarting => "the store cannot be restarted here (`Subject::restarting`)",
            Self::Forgetting => "the store cannot be made to forget here (`Subject::forgetting`)",
        })
    }
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The clause is kept, as far as was looked.
    Ok,
    /// The clause is not about a node with these abilities, or the subject lacks a hook. Says which.
    NotApplicable(String),
    /// The clause is broken.
    Failed {
        /// What the contract demands.
        expected: String,
        /// What the node did instead.
        found: String,
    },
}

impl Outcome {
    /// Whether the clause is broken.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Ok(()) => Self::Ok,
            Err(Stop { expected, found }) => Self::Failed { expected, found },
        }
    }
}
