//! What a node says about how it is set up.

use std::net::IpAddr;
use std::time::Duration;

use super::{ClockReading, FindingKind};

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

/// Whether a host is certainly this machine. A name that resolves to it is not looked up.
pub(crate) fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
