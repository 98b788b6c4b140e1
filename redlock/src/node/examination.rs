//! What a node says about how it is set up.

use std::net::IpAddr;
use std::time::Duration;

use super::FindingKind;
use crate::id::Instant;

/// What a node says about how it is set up: what can be judged of it alone, and readings that are compared with others'.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Examination {
    /// What was judged. None at all: nothing is known.
    pub findings: Vec<FindingKind>,
    /// The one machine on which it runs, as the configuration calls it. `None`: this process, or several machines.
    pub host: Option<String>,
    /// What it does when its memory is full, in its own words.
    pub eviction_policy: Option<String>,
    /// Its clock.
    pub clock: Option<ClockReading>,
    /// A few round trips, each of a request that takes no time there.
    pub round_trips: Vec<Duration>,
}

impl Examination {
    /// An examination with these findings and no readings.
    pub fn new(findings: Vec<FindingKind>) -> Self {
        Self { findings, ..Self::default() }
    }
}

/// A node's clock beside ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClockReading {
    /// The node's time in microseconds since its epoch.
    pub micros: u64,
    /// Our time at that moment.
    pub at: Instant,
    /// How far wrong `at` may be, either way.
    pub error: Duration,
}

impl ClockReading {
    /// What the node answered to a request sent at `sent`: it read its clock somewhere in between.
    pub fn between(micros: u64, sent: Instant, received: Instant) -> Self {
        let error = received.saturating_since(sent) / 2;
        Self { micros, at: sent.saturating_add(error), error }
    }

    /// How far the node's time is ahead of ours, in microseconds.
    pub(crate) fn offset(&self) -> i128 {
        i128::from(self.micros) - i128::from(self.at.as_nanos() / 1_000)
    }
}

/// Whether a host is certainly this machine. A name that resolves to it is not looked up.
pub(crate) fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
