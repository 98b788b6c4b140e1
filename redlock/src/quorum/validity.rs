//! Until when a holder may act.

use std::time::Duration;

use crate::id::{Instant, Ttl};

/// The granularity of a node's expiry and of our reading of clocks, as in the Redlock specification: 2 ms.
const FIXED: Duration = Duration::from_millis(2);

/// The share of a TTL that is set aside for clocks that run at different rates.
///
/// It must be at least twice the rate error of a single clock: 0.01, the default, covers 0.5 % each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftFactor(f64);

impl DriftFactor {
    /// The default of the Redlock specification.
    pub const DEFAULT: Self = Self(0.01);
    /// The largest factor; what it leaves of a TTL is hardly worth holding.
    pub const MAX: f64 = 0.5;

    /// Checks and wraps a factor.
    ///
    /// # Errors
    /// [`InvalidDriftFactor`] unless 0 <= factor <= [`DriftFactor::MAX`].
    pub fn new(factor: f64) -> Result<Self, InvalidDriftFactor> {
        if (0.0..=Self::MAX).contains(&factor) {
            Ok(Self(factor))
        } else {
            Err(InvalidDriftFactor { factor })
        }
    }

    /// The factor as a number.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// What is set aside of `ttl`: factor x ttl + 2 ms.
    pub fn allowance(self, ttl: Ttl) -> Duration {
        self.share(ttl.get())
    }

    /// The same of any time up to about the longest TTL.
    pub(crate) fn share(self, time: Duration) -> Duration {
        // Finite, within 0..=0.5 and at most half of what comes in: this cannot overflow.
        time.mul_f64(self.0).saturating_add(FIXED)
    }

    /// The end of the validity of a lease that was asked for at `started` (design, section 4: read before sending).
    /// Saturates: an allowance larger than the TTL leaves nothing, it does not wrap around.
    pub(crate) fn valid_until(self, started: Instant, ttl: Ttl, allowance_is_on: bool) -> Instant {
        let drift = if allowance_is_on { self.allowance(ttl) } else { Duration::ZERO };
        started.saturating_add(ttl.get().saturating_sub(drift))
    }
}

impl Default for DriftFactor {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A drift factor out of range.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a drift factor of {factor} is out of range; it must be between 0 and {}", DriftFactor::MAX)]
pub struct InvalidDriftFactor {
    /// What was asked for.
    pub factor: f64,
}
