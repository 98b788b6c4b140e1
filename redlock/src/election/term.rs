//! A term of office: what everybody may see of one leadership.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::candidate::Candidate;
use super::error::{MAX_VALUE_BYTES, ProclaimError};
use super::record::{Description, Record};
use super::standing::{Eligibility, Standing};
use crate::{ExtendError, FencingToken, Held, Instant, LockName, LockState, LostReason};

/// Where a leadership stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeadershipState {
    /// It leads, and the last renewal went well.
    Leading,
    /// It leads, but renewals are failing; it is lost at `until` unless one gets through.
    Suspect {
        /// The end of the validity.
        until: Instant,
    },
    /// It does not lead any more: somebody else may.
    Lost(LostReason),
    /// It has resigned, or its [`Leadership`](crate::Leadership) was dropped.
    Resigned,
}

impl From<LockState> for LeadershipState {
    fn from(state: LockState) -> Self {
        match state {
            LockState::Held => Self::Leading,
            LockState::Suspect { until } => Self::Suspect { until },
            LockState::Lost(reason) => Self::Lost(reason),
            LockState::Released => Self::Resigned,
        }
    }
}

impl From<LeadershipState> for LockState {
    fn from(state: LeadershipState) -> Self {
        match state {
            LeadershipState::Leading => Self::Held,
            LeadershipState::Suspect { until } => Self::Suspect { until },
            LeadershipState::Lost(reason) => Self::Lost(reason),
            LeadershipState::Resigned => Self::Released,
        }
    }
}

/// Why a leader is to stop working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// [`Election::set_eligible(false)`](crate::Election::set_eligible) was called.
    Ineligible,
    /// [`Election::retire`](crate::Election::retire) was called.
    Retired,
    /// Renewals are failing, and less of the validity is left than [`Election::stop_margin`](crate::Election::stop_margin).
    AtRisk,
    /// It does not lead any more.
    Lost(LostReason),
    /// It has resigned.
    Resigned,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ineligible => f.write_str("the candidate is not eligible any more"),
            Self::Retired => f.write_str("the candidate has retired"),
            Self::AtRisk => f.write_str("renewals are failing"),
            Self::Lost(reason) => write!(f, "the leadership is lost: {reason}"),
            Self::Resigned => f.write_str("the leader has resigned"),
        }
    }
}

/// A view of one leadership, from the win of an election to its end. Cloning it is cheap; dropping it ends nothing:
/// [`Leadership`](crate::Leadership) does, or the end of the work in [`Election::run`](crate::Election::run).
///
/// There is no `is_leader()`: an answer to it is history when it is given. Look at the [state](Term::state) where something depends on
/// the way in which it ended, at [`remaining`](Term::remaining) for how long a step may take, [`verify`](Term::verify) before a step
/// that must not run short of time, and hand the [epoch](Term::epoch) to whatever can refuse an older one.
#[derive(Clone)]
pub struct Term {
    pub(super) held: Held,
    pub(super) epoch: FencingToken,
    pub(super) candidate: Candidate,
    pub(super) description: Description,
    pub(super) eligibility: Eligibility,
    pub(super) stop_margin: Duration,
    pub(super) shared: Arc<super::Shared>,
    /// How many values were proclaimed. Taken for each, so that one follows the other.
    pub(super) revision: Arc<Mutex<u64>>,
}

impl Term {
    /// The name of the election.
    pub fn name(&self) -> &LockName {
        self.held.name()
    }

    /// The number of this term: strictly greater for every later leader of this name. It is the
    /// [fencing token](Held::fencing_token) of the lock: hand it to the protected resource, which refuses smaller ones.
    pub fn epoch(&self) -> FencingToken {
        self.epoch
    }

    /// Who leads.
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// When it was won, on the suspend-aware clock of this machine.
    pub fn since(&self) -> Instant {
        self.held.acquired_at()
    }

    /// Until when the leader may act, as things stand; as [`Held::valid_until`].
    pub fn valid_until(&self) -> Instant {
        self.held.valid_until()
    }

    /// How much of the validity is left; zero if it is lost or was resigned.
    pub fn remaining(&self) -> Duration {
        self.held.remaining()
    }

    /// Where it stands. Exact: reads the clock, needs no task to have run.
    pub fn state(&self) -> LeadershipState {
        self.held.state().into()
    }

    /// Completes with the next state that differs from `state`; never, once it has ended and `state` says so.
    ///
    /// Cancel safe and level-triggered.
    pub async fn state_changed_from(&self, state: LeadershipState) -> LeadershipState {
        self.held.state_changed_from(state.into()).await.into()
    }

    /// Completes when it is lost, with the reason; `None` if it was resigned, or its guard dropped. No later than
    /// [`Term::valid_until`]; [`Held::lost`] says what that rests on.
    ///
    /// Cancel safe and level-triggered.
    pub async fn lost(&self) -> Option<LostReason> {
        self.held.lost().await
    }

    /// Completes when less than `margin` of the validity is left, or none. Cancel safe and level-triggered; a renewal that gets
    /// through later moves the point on again.
    pub async fn at_risk(&self, margin: Duration) {
        self.held.at_risk(margin).await;
    }

    /// Completes when the leader is to stop working, and says why: it was lost, renewals are failing and less than
    /// [`Election::stop_margin`](crate::Election::stop_margin) is left, or the candidate is
    /// [not eligible any more](crate::Election::set_eligible). What was completed once may not complete again: a renewal can still
    /// get through.
    ///
    /// Cancel safe and level-triggered.
    pub async fn stop_requested(&self) -> StopReason {
        let lost = async {
            match self.held.lost().await {
                Some(reason) => StopReason::Lost(reason),
                None => StopReason::Resigned,
            }
        };
        let at_risk = async {
            self.held.at_risk(self.stop_margin).await;
            match self.held.state() {
                LockState::Lost(reason) => StopReason::Lost(reason),
                LockState::Released => StopReason::Resigned,
                _ => StopReason::AtRisk,
            }
        };
        tokio::select! {
            biased;
            reason = lost => reason,
            standing = self.eligibility.until_not_eligible() => match standing {
                Standing::Retired => StopReason::Retired,
                _ => StopReason::Ineligible,
            },
            reason = at_risk => reason,
        }
    }

    /// Publishes a value for all who ask who leads or observe the election: an address, mostly. By one round to the nodes; it lies there in
    /// clear, until it is replaced or the leadership ends.
    ///
    /// Cancel safe: of a dropped future the new value may be shown by some nodes, and by all with the next renewal. Several calls follow one
    /// another.
    ///
    /// # Errors
    /// [`ProclaimError::TooLong`] changes nothing. [`ProclaimError::Extend`]: it does not lead, or no quorum took the value in time; then the
    /// next renewal tries again.
    pub async fn proclaim(&self, value: impl AsRef<str>) -> Result<(), ProclaimError> {
        let value = value.as_ref();
        if value.len() > MAX_VALUE_BYTES {
            return Err(ProclaimError::TooLong { bytes: value.len() });
        }
        let mut revision = self.revision.lock().await;
        *revision += 1;
        Ok(self.announce(*revision, value).await?)
    }

    /// Says that it leads, so that everybody sees who does, unless it has proclaimed something meanwhile. What does not get through now is
    /// said by the next renewal.
    pub(super) async fn announce_win(&self) {
        let revision = self.revision.lock().await;
        if *revision == 0 {
            let _ = self.announce(0, "").await;
        }
    }

    /// Says on the nodes that it leads.
    pub(super) async fn announce(&self, revision: u64, value: &str) -> Result<(), ExtendError> {
        let (candidate, epoch, description) = (self.candidate.clone(), self.epoch, self.description.clone());
        let record = Record { candidate, epoch, revision, description, value: value.to_owned() };
        self.held.describe(record.to_string()).await
    }

    /// Asks the nodes whether it still leads, by a round of renewal, and returns the new end of its validity. Call it before a step
    /// that must not run short of time, or whose reader must not be told by a leader of the past.
    ///
    /// Cancel safe, as [`Held::extend`].
    ///
    /// # Errors
    /// [`ExtendError::Lost`] and [`ExtendError::Released`]: it does not lead. [`ExtendError::Failed`]: no quorum has said so in
    /// time; it leads until [`Term::valid_until`].
    pub async fn verify(&self) -> Result<Instant, ExtendError> {
        self.held.extend().await
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Term")
            .field("name", self.name())
            .field("epoch", &self.epoch)
            .field("state", &self.state())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
