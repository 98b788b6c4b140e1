//! The settings of a `Locks`: plain data, with the defaults of a quorum lock.

use std::time::Duration;

use crate::id::Ttl;
use crate::quorum::DriftFactor;

/// TTL of a quorum lock that states none.
pub(crate) const DEFAULT_TTL: Ttl = Ttl::from_const(Duration::from_secs(10));

/// How locks are acquired, renewed and given up. Every field can be overridden for a single lock where that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// TTL of a lock that states none.
    pub(crate) ttl: Ttl,
    /// The longest TTL that is accepted.
    pub(crate) max_ttl: Ttl,
    /// How long a node may take to answer; `None`: ttl / 20 within 50 ms and 500 ms, and more for nodes that need several steps.
    pub(crate) node_timeout: Option<Duration>,
    /// The most steps that any of the nodes needs.
    pub(crate) steps: u32,
    /// The share of a TTL set aside for drift.
    pub(crate) drift_factor: DriftFactor,
    /// About how often a waiting contender asks again.
    pub(crate) acquire_interval: Duration,
    /// How many times a failed attempt is repeated; `None`: without limit. N retries are N + 1 attempts.
    pub(crate) max_retries: Option<u32>,
    /// How long an acquisition waits; `None`: without limit.
    pub(crate) wait_limit: Option<Duration>,
    /// How long a guard is renewed after it was acquired; `None`: as long as it lives.
    pub(crate) renew_limit: Option<Duration>,
    /// How many times a lease is handed over to the next waiter of this process before others may ask; 0: never.
    pub(crate) handoff: u32,
    /// How long nodes keep a fencing counter that is not used; `None`: no fencing tokens.
    pub(crate) fencing: Option<Duration>,
    /// Whether nodes that may have lost their memory, or whose clock was set, are kept from granting.
    pub(crate) restart_guard: bool,
    /// Whether a node that says that it writes every change to disk keeps its memory over a restart.
    pub(crate) trust_aof: bool,
    /// Whether a holder leaves its host and process on the nodes.
    pub(crate) describe_holder: bool,
    /// The number of the node set: which of several lists of nodes, one after the other, this client has.
    pub(crate) node_set: u64,
}

impl Settings {
    pub(crate) fn new(ttl: Ttl) -> Self {
        Self {
            ttl,
            max_ttl: ttl.max(DEFAULT_MAX_TTL),
            node_timeout: None,
            steps: 1,
            drift_factor: DriftFactor::DEFAULT,
            acquire_interval: Duration::from_millis(20),
            max_retries: None,
            wait_limit: None,
            renew_limit: None,
            handoff: DEFAULT_HANDOFF,
            fencing: Some(DEFAULT_FENCING_RETENTION),
            restart_guard: true,
            trust_aof: false,
            describe_holder: true,
            node_set: 0,
        }
    }

    /// How long a node may take to answer a request about a lock with this TTL.
    pub(crate) fn node_timeout(&self, ttl: Ttl) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(50);
        const LONGEST: Duration = Duration::from_millis(500);
        let by_default = || {
            let one_step = (ttl.get() / 20).clamp(SHORTEST, LONGEST);
            // So that an acquisition can fail and succeed within one TTL.
            one_step.saturating_mul(self.steps).min((ttl.get() / 4).max(one_step))
        };
        self.node_timeout.unwrap_or_else(by_default).min(ttl.get())
    }
}

/// How long nodes keep a fencing counter that is not used.
pub(crate) const DEFAULT_FENCING_RETENTION: Duration = Duration::from_secs(600);

/// How many times a lease is handed over within a process.
pub(crate) const DEFAULT_HANDOFF: u32 = 128;

/// A span moves a counter by as many microseconds: with more, a name that is taken and released at the nodes all the time would
/// push it ever further ahead of the time.
pub(crate) const MOST_HANDOFF: u32 = 256;

/// `maxExpiration` is the larger of `expiration` and this.
const DEFAULT_MAX_TTL: Ttl = Ttl::from_const(Duration::from_secs(30));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_need_several_steps_have_several_times_as_long_to_answer_up_to_a_quarter_of_the_ttl() {
        let timeout = |millis: u64, steps| {
            let ttl = Ttl::from_const(Duration::from_millis(millis));
            Settings { steps, ..Settings::new(ttl) }.node_timeout(ttl).as_millis()
        };
        assert_eq!([1, 3, 4, 9].map(|steps| timeout(2_000, steps)), [100, 300, 400, 500]);
        assert_eq!([1, 4].map(|steps| timeout(60_000, steps)), [500, 2_000]);
        assert_eq!([1, 4].map(|steps| timeout(100, steps)), [50, 50]);
        assert_eq!(timeout(20, 4), 20);
    }
}
