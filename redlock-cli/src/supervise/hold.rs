//! What a command runs under: a lock, or a leadership.

use std::time::Duration;

use redlock::{FencingToken, Held, Instant, LeadershipState, LockState, LostReason, Term};

/// A hold that is renewed as long as whoever has it does not let go of it.
pub(crate) trait Hold {
    fn token(&self) -> Option<FencingToken>;

    fn valid_until(&self) -> Instant;

    /// Whether it is held now.
    fn is_valid(&self) -> bool;

    /// Why it is held no more, if it was lost.
    fn loss(&self) -> Option<LostReason>;

    /// Completes when it is lost.
    async fn lost(&self) -> Option<LostReason>;

    /// Completes when less than this is left of its validity.
    async fn at_risk(&self, margin: Duration);
}

impl Hold for Held {
    fn token(&self) -> Option<FencingToken> {
        self.fencing_token()
    }

    fn valid_until(&self) -> Instant {
        self.valid_until()
    }

    fn is_valid(&self) -> bool {
        self.is_valid()
    }

    fn loss(&self) -> Option<LostReason> {
        match self.state() {
            LockState::Lost(reason) => Some(reason),
            _ => None,
        }
    }

    async fn lost(&self) -> Option<LostReason> {
        self.lost().await
    }

    async fn at_risk(&self, margin: Duration) {
        self.at_risk(margin).await;
    }
}

impl Hold for Term {
    fn token(&self) -> Option<FencingToken> {
        Some(self.epoch())
    }

    fn valid_until(&self) -> Instant {
        self.valid_until()
    }

    fn is_valid(&self) -> bool {
        matches!(self.state(), LeadershipState::Leading | LeadershipState::Suspect { .. })
    }

    fn loss(&self) -> Option<LostReason> {
        match self.state() {
            LeadershipState::Lost(reason) => Some(reason),
            _ => None,
        }
    }

    async fn lost(&self) -> Option<LostReason> {
        self.lost().await
    }

    async fn at_risk(&self, margin: Duration) {
        self.at_risk(margin).await;
    }
}
