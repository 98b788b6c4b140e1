//! The metrics of one election. An election's name is a label here: there are few of them, as the program has it.

#[cfg(feature = "metrics")]
use metrics::{Counter, Gauge};

#[cfg(feature = "metrics")]
use super::names;
use crate::error::LostReason;
use crate::id::FencingToken;

/// Why a campaign has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CampaignFailure {
    /// Somebody else leads.
    Busy,
    /// Too few nodes answered.
    Unavailable,
    /// What was won had ended already.
    Late,
    /// It could not be begun.
    Invalid,
}

#[cfg(feature = "metrics")]
impl CampaignFailure {
    /// In the order of the variants.
    const LABELS: [&str; 4] = ["busy", "unavailable", "late", "invalid"];
}

#[cfg(feature = "metrics")]
#[derive(Debug)]
pub(crate) struct ElectionMeters {
    leading: Gauge,
    epoch: Gauge,
    wins: Counter,
    ends: Vec<Counter>,
    failures: Vec<Counter>,
    overruns: Counter,
}

#[cfg(feature = "metrics")]
impl ElectionMeters {
    /// Registers everything with the recorder that is installed now.
    pub(crate) fn new(election: &str) -> Self {
        let label = ("election", election);
        let ends = ["resigned"].into_iter().chain(super::meters::END_LABELS.iter().skip(1).copied());
        let failures = CampaignFailure::LABELS.iter();
        Self {
            leading: names::ELECTION_LEADING.gauge([label]),
            epoch: names::ELECTION_EPOCH.gauge([label]),
            wins: names::ELECTION_WINS.counter([label]),
            ends: ends.map(|end| names::ELECTION_ENDS.counter([label, ("end", end)])).collect(),
            failures: failures
                .map(|reason| names::ELECTION_FAILURES.counter([label, ("reason", reason)]))
                .collect(),
            overruns: names::ELECTION_OVERRUNS.counter([label]),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "epochs stay below 2^53")]
    pub(crate) fn won(&self, epoch: FencingToken) {
        self.leading.increment(1);
        self.epoch.set(epoch.get() as f64);
        self.wins.increment(1);
    }

    /// Resigned, or lost for a reason.
    pub(crate) fn ended(&self, lost: Option<LostReason>) {
        self.leading.decrement(1);
        if let Some(ends) = self.ends.get(super::meters::end_of(lost)) {
            ends.increment(1);
        }
    }

    pub(crate) fn failed(&self, why: CampaignFailure) {
        if let Some(failures) = self.failures.get(why as usize) {
            failures.increment(1);
        }
    }

    pub(crate) fn overran(&self) {
        self.overruns.increment(1);
    }
}

#[cfg(not(feature = "metrics"))]
#[derive(Debug)]
pub(crate) struct ElectionMeters;

#[cfg(not(feature = "metrics"))]
#[allow(clippy::unused_self, reason = "as with the feature")]
impl ElectionMeters {
    #[inline(always)]
    pub(crate) fn new(_: &str) -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn won(&self, _: FencingToken) {}

    #[inline(always)]
    pub(crate) fn ended(&self, _: Option<LostReason>) {}

    #[inline(always)]
    pub(crate) fn failed(&self, _: CampaignFailure) {}

    #[inline(always)]
    pub(crate) fn overran(&self) {}
}
