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
    /// How long a node may take to answer; `None`: ttl / 20 within 50 ms and 500 ms.
    pub(crate) node_timeout: Option<Duration>,
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
    /// How long nodes keep a fencing counter that is not used; `None`: no fencing tokens.
    pub(crate) fencing: Option<Duration>,
    /// Whether nodes that may have lost their memory, or whose clock was set, are kept from granting.
    pub(crate) restart_guard: bool,
    /// Whether a node that says that it writes every change to disk keeps its memory over a restart.
    pub(crate) trust_aof: bool,
}

impl Settings {
    pub(crate) fn new(ttl: Ttl) -> Self {
        Self {
            ttl,
            max_ttl: ttl.max(DEFAULT_MAX_TTL),
            node_timeout: None,
            drift_factor: DriftFactor::DEFAULT,
            acquire_interval: Duration::from_millis(20),
            max_retries: None,
            wait_limit: None,
            renew_limit: None,
            fencing: Some(DEFAULT_FENCING_RETENTION),
            restart_guard: true,
            trust_aof: false,
        }
    }

    /// How long a node may take to answer a request about a lock with this TTL.
    pub(crate) fn node_timeout(&self, ttl: Ttl) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(50);
        const LONGEST: Duration = Duration::from_millis(500);
        self.node_timeout.unwrap_or_else(|| (ttl.get() / 20).clamp(SHORTEST, LONGEST)).min(ttl.get())
    }
}

/// How long nodes keep a fencing counter that is not used.
pub(crate) const DEFAULT_FENCING_RETENTION: Duration = Duration::from_secs(600);

/// `maxExpiration` is the larger of `expiration` and this.
const DEFAULT_MAX_TTL: Ttl = Ttl::from_const(Duration::from_secs(30));
