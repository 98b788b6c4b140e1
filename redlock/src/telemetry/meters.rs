//! The metrics of one `Locks`. All handles are made when it is built: counting a vote formats nothing and looks nothing up.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::{Outcome, names};
use crate::env::Env;
use crate::error::{ExtendError, LostReason, ReleaseError};
use crate::id::Instant;
use crate::node::{NodeError, NodeErrorKind, RefusalReason, Reply};

/// Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Meters(Arc<Handles>);

#[derive(Debug)]
struct Handles {
    acquire: Vec<Histogram>,
    acquire_wait: Histogram,
    acquire_rounds: Histogram,
    waiters: Gauge,
    locks_held: Gauge,
    hold: Vec<Histogram>,
    handovers: Counter,
    losses: Vec<Counter>,
    renewal: Vec<Histogram>,
    releases: Vec<Counter>,
    unsettled: Gauge,
    raise_rounds: Counter,
    own_clock_jumps: Counter,
    nodes: Vec<NodeHandles>,
}

#[derive(Debug)]
struct NodeHandles {
    votes: Vec<Counter>,
    restores: Counter,
    quarantines: Counter,
    admissions: Counter,
    clock_jumps: Counter,
}

/// A list of words and what each stands for; a handle for each, in this order.
macro_rules! labels {
    ($(#[doc = $doc:literal])+ $name:ident { $($variant:ident $label:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy)]
        enum $name { $($variant,)+ }

        impl $name {
            const LABELS: &[&str] = &[$($label,)+];
        }
    };
}

labels! {
    /// How a hold ended.
    End {
        Released "released",
        Expired "expired",
        Superseded "superseded",
        Missing "missing",
        ClockMoved "clock_moved",
        RenewLimit "renew_limit",
    }
}

labels! {
    /// How a renewal ended.
    Renewal {
        Extended "extended",
        Failed "failed",
        Lost "lost",
        Released "released",
    }
}

labels! {
    /// How an explicit release ended.
    Release {
        Confirmed "confirmed",
        NotHeld "not_held",
        Unconfirmed "unconfirmed",
    }
}

labels! {
    /// What a node answered.
    Vote {
        Granted "granted",
        Held "held",
        Missing "missing",
        Stale "stale",
        Exhausted "exhausted",
        Quarantined "quarantined",
        Unreachable "unreachable",
        Timeout "timeout",
        Disconnected "disconnected",
        Overloaded "overloaded",
        Denied "denied",
        Tls "tls",
        Protocol "protocol",
        Unsupported "unsupported",
        ReadOnly "read_only",
        WrongType "wrong_type",
        NotReady "not_ready",
        Clock "clock",
        Foreign "foreign",
    }
}

/// How a hold or a leadership ended.
pub(super) const END_LABELS: &[&str] = End::LABELS;

/// Where in [`END_LABELS`] that stands.
pub(super) fn end_of(lost: Option<LostReason>) -> usize {
    End::of(lost) as usize
}

impl Meters {
    /// Registers everything with the recorder that is installed now.
    pub(crate) fn new(nodes: &[Arc<str>]) -> Self {
        names::describe();
        let each = |labels: &[&'static str], make: &dyn Fn(&'static str) -> Histogram| {
            labels.iter().map(|label| make(label)).collect()
        };
        let count = |labels: &[&'static str], make: &dyn Fn(&'static str) -> Counter| {
            labels.iter().map(|label| make(label)).collect()
        };
        Self(Arc::new(Handles {
            acquire: each(&Outcome::LABELS, &|outcome| names::ACQUIRE.histogram([("outcome", outcome)])),
            acquire_wait: names::ACQUIRE_WAIT.histogram([]),
            acquire_rounds: names::ACQUIRE_ROUNDS.histogram([]),
            waiters: names::WAITERS.gauge([]),
            locks_held: names::LOCKS_HELD.gauge([]),
            hold: each(End::LABELS, &|end| names::HOLD.histogram([("end", end)])),
            handovers: names::HANDOVERS.counter([]),
            losses: count(&End::LABELS[1..], &|reason| names::LOSSES.counter([("reason", reason)])),
            renewal: each(Renewal::LABELS, &|outcome| names::RENEWAL.histogram([("outcome", outcome)])),
            releases: count(Release::LABELS, &|outcome| names::RELEASES.counter([("outcome", outcome)])),
            unsettled: names::UNSETTLED.gauge([]),
            raise_rounds: names::RAISE_ROUNDS.counter([]),
            own_clock_jumps: names::OWN_CLOCK_JUMPS.counter([]),
            nodes: nodes.iter().map(|node| NodeHandles::of(node)).collect(),
        }))
    }

    fn node(&self, node: usize, count: impl FnOnce(&NodeHandles) -> Option<&Counter>) {
        if let Some(counter) = self.0.nodes.get(node).and_then(count) {
            counter.increment(1);
        }
    }

    /// The time, for a later measurement.
    pub(crate) fn now(&self, env: &dyn Env) -> Option<Instant> {
        Some(env.now())
    }

    pub(super) fn waiting(&self) {
        self.0.waiters.increment(1);
    }

    pub(super) fn waited(&self) {
        self.0.waiters.decrement(1);
    }

    pub(super) fn acquisition(&self, outcome: Outcome, took: Duration, idle: Duration, rounds: u32) {
        record(&self.0.acquire, outcome as usize, took);
        self.0.acquire_wait.record(idle);
        self.0.acquire_rounds.record(rounds);
    }

    pub(crate) fn voted(&self, node: usize, answer: &Result<Reply, NodeError>) {
        let vote = Vote::of(answer);
        self.node(node, |handles| handles.votes.get(vote as usize));
    }

    pub(crate) fn raise_round(&self) {
        self.0.raise_rounds.increment(1);
    }

    pub(crate) fn restored(&self, node: usize) {
        self.node(node, |handles| Some(&handles.restores));
    }

    /// A lock is held.
    pub(crate) fn held(&self) {
        self.0.locks_held.increment(1);
    }

    /// A holder that had it for so long has left it to the next of this process.
    pub(crate) fn handed_over(&self, held_for: Duration) {
        self.0.handovers.increment(1);
        record(&self.0.hold, End::of(None) as usize, held_for);
    }

    /// A lock is held no longer: released, or lost for a reason.
    pub(crate) fn ended(&self, lost: Option<LostReason>, held_for: impl FnOnce() -> Duration) {
        self.0.locks_held.decrement(1);
        let end = End::of(lost) as usize;
        record(&self.0.hold, end, held_for());
        if let Some(losses) = end.checked_sub(1).and_then(|loss| self.0.losses.get(loss)) {
            losses.increment(1);
        }
    }

    /// A round of extend that began then has ended.
    pub(crate) fn extended(
        &self,
        began: Option<Instant>,
        env: &dyn Env,
        result: &Result<Instant, ExtendError>,
    ) {
        let Some(began) = began else { return };
        record(&self.0.renewal, Renewal::of(result) as usize, env.now().saturating_since(began));
    }

    pub(crate) fn released(&self, result: &Result<(), ReleaseError>) {
        if let Some(releases) = self.0.releases.get(Release::of(result) as usize) {
            releases.increment(1);
        }
    }

    pub(crate) fn unsettled(&self) {
        self.0.unsettled.increment(1);
    }

    pub(crate) fn settled(&self) {
        self.0.unsettled.decrement(1);
    }

    pub(crate) fn quarantined(&self, node: usize) {
        self.node(node, |handles| Some(&handles.quarantines));
    }

    pub(crate) fn admitted(&self, node: usize) {
        self.node(node, |handles| Some(&handles.admissions));
    }

    pub(crate) fn clock_moved(&self, node: usize) {
        self.node(node, |handles| Some(&handles.clock_jumps));
    }

    pub(crate) fn own_clock_moved(&self) {
        self.0.own_clock_jumps.increment(1);
    }
}

fn record(histograms: &[Histogram], label: usize, duration: Duration) {
    if let Some(histogram) = histograms.get(label) {
        histogram.record(duration);
    }
}

impl NodeHandles {
    fn of(node: &str) -> Self {
        let vote = |vote: &&'static str| names::VOTES.counter([("node", node), ("vote", vote)]);
        Self {
            votes: Vote::LABELS.iter().map(vote).collect(),
            restores: names::RESTORES.counter([("node", node)]),
            quarantines: names::QUARANTINES.counter([("node", node)]),
            admissions: names::ADMISSIONS.counter([("node", node)]),
            clock_jumps: names::CLOCK_JUMPS.counter([("node", node)]),
        }
    }
}

impl End {
    fn of(lost: Option<LostReason>) -> Self {
        match lost {
            None => Self::Released,
            Some(LostReason::Expired) => Self::Expired,
            Some(LostReason::Superseded) => Self::Superseded,
            Some(LostReason::Missing) => Self::Missing,
            Some(LostReason::ClockMoved) => Self::ClockMoved,
            Some(LostReason::RenewLimit) => Self::RenewLimit,
        }
    }
}

impl Renewal {
    fn of(result: &Result<Instant, ExtendError>) -> Self {
        match result {
            Ok(_) => Self::Extended,
            Err(ExtendError::Failed { .. }) => Self::Failed,
            Err(ExtendError::Lost(_)) => Self::Lost,
            Err(ExtendError::Released) => Self::Released,
        }
    }
}

impl Release {
    fn of(result: &Result<(), ReleaseError>) -> Self {
        match result {
            Ok(()) => Self::Confirmed,
            Err(ReleaseError::NotHeld { .. }) => Self::NotHeld,
            Err(ReleaseError::Unconfirmed { .. }) => Self::Unconfirmed,
        }
    }
}

impl Vote {
    fn of(answer: &Result<Reply, NodeError>) -> Self {
        match answer {
            Ok(Reply::Granted(_)) => Self::Granted,
            Ok(Reply::Refused(refusal)) => match refusal.reason {
                RefusalReason::Held => Self::Held,
                RefusalReason::Missing => Self::Missing,
                RefusalReason::Stale => Self::Stale,
                RefusalReason::Exhausted => Self::Exhausted,
                RefusalReason::Quarantined => Self::Quarantined,
            },
            Err(error) => match error.kind {
                NodeErrorKind::Unreachable => Self::Unreachable,
                NodeErrorKind::Timeout => Self::Timeout,
                NodeErrorKind::Disconnected => Self::Disconnected,
                NodeErrorKind::Overloaded => Self::Overloaded,
                NodeErrorKind::Denied => Self::Denied,
                NodeErrorKind::Tls => Self::Tls,
                NodeErrorKind::Protocol => Self::Protocol,
                NodeErrorKind::Unsupported => Self::Unsupported,
                NodeErrorKind::ReadOnly => Self::ReadOnly,
                NodeErrorKind::WrongType => Self::WrongType,
                NodeErrorKind::NotReady | NodeErrorKind::Moved => Self::NotReady,
                NodeErrorKind::Clock => Self::Clock,
                NodeErrorKind::Foreign => Self::Foreign,
            },
        }
    }
}

#[cfg(any(feature = "redis", feature = "zookeeper", feature = "memcached", feature = "etcd"))]
pub(super) use connections::{Connected, Connections};

#[cfg(any(feature = "redis", feature = "zookeeper", feature = "memcached", feature = "etcd"))]
mod connections {
    use metrics::Gauge;

    use super::names;

    /// How many connections to one node are up.
    #[derive(Debug)]
    pub(in super::super) struct Connections(Gauge);

    /// A connection that is up, until this is dropped.
    #[must_use]
    pub(crate) struct Connected<'a>(&'a Gauge);

    impl Connections {
        pub(in super::super) fn of(node: &str) -> Self {
            Self(names::CONNECTIONS.gauge([("node", node)]))
        }

        pub(in super::super) fn connected(&self) -> Connected<'_> {
            self.0.increment(1);
            Connected(&self.0)
        }
    }

    impl Drop for Connected<'_> {
        fn drop(&mut self) {
            self.0.decrement(1);
        }
    }
}
