//! Whether a candidate is well, for probes.

use std::time::Duration;

use crate::{Held, Instant, LockState};

/// Whether a candidate is well: what [`Election::health`](crate::Election::health) says.
///
/// Made for a liveness probe, which restarts the process: [`is_ok`](Health::is_ok) is false only where a restart helps. A standby is
/// well, and so is a leader that cannot reach its nodes, as long as its validity lasts: it stops by itself. As a readiness
/// probe it is of no use. Let the probe fail a few times before it kills, at intervals of a second or so: at the very end of a
/// validity the work may just be on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// It does not lead: it waits, looks, or does nothing.
    Standby,
    /// It leads.
    Leading {
        /// How much of the validity is left.
        remaining: Duration,
    },
    /// Not well: its leadership was lost, and whoever worked for it has not let go of it.
    Overdue {
        /// How long ago the validity ended; zero where it was lost before its end.
        since: Duration,
    },
    /// Not well: it leads, little of the validity is left, and nobody has tried in vain to renew it. Renewal stands still.
    RenewalWedged {
        /// How much of the validity is left.
        remaining: Duration,
    },
}

impl Health {
    /// Whether the process should be left alone.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Standby | Self::Leading { .. })
    }

    pub(super) fn of(held: &Held, now: Instant) -> Self {
        match held.state() {
            LockState::Released => Self::Standby,
            LockState::Lost(_) => Self::Overdue { since: now.saturating_since(held.valid_until()) },
            LockState::Suspect { until } => Self::Leading { remaining: until.saturating_since(now) },
            LockState::Held => {
                let remaining = held.remaining();
                // Renewal begins when two thirds are left, and what fails makes it suspect.
                let is_wedged = remaining < held.ttl().get() / 4;
                if is_wedged { Self::RenewalWedged { remaining } } else { Self::Leading { remaining } }
            }
        }
    }
}
