//! Leaderships: who leads, from when on, and what works for it.

use std::sync::Arc;
use std::time::Duration;

use redlock::env::Env;
use redlock::{Candidate, Instant, LeadershipState, LostReason, Term};

/// A leadership that a candidate was given.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) client: usize,
    pub(crate) term: Term,
    /// Others are kept out for so long when nobody has resigned.
    pub(crate) delay: Duration,
    /// Its work has not come to its end.
    pub(crate) works: bool,
    /// When it was let go of. Nobody does where the process has died.
    pub(crate) left: Option<Instant>,
    /// Whose clock it goes by.
    pub(crate) env: Arc<dyn Env>,
}

impl Office {
    /// Who leads.
    pub(crate) fn candidate(&self) -> &Candidate {
        self.term.candidate()
    }

    /// Whether it may act now.
    pub(crate) fn is_valid(&self) -> bool {
        !self.term.remaining().is_zero()
    }

    /// Whether its validity has ended by its own clock.
    pub(crate) fn is_past(&self) -> bool {
        self.env.now() >= self.term.valid_until()
    }

    /// Whether it came to its end for want of renewals.
    pub(crate) fn has_expired(&self) -> bool {
        matches!(self.term.state(), LeadershipState::Lost(LostReason::Expired | LostReason::RenewLimit))
    }
}
