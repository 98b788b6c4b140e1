//! What can go wrong with an election.

use crate::{AcquireError, ExtendError};

/// The longest value that a leader can proclaim.
pub(super) const MAX_VALUE_BYTES: usize = 512;

/// A value was not proclaimed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProclaimError {
    /// The value is too long for the nodes.
    #[error("a value of {bytes} bytes is too long to be proclaimed; at most {MAX_VALUE_BYTES} are kept")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It does not lead, or no quorum of nodes has taken the value in time.
    #[error(transparent)]
    Extend(#[from] ExtendError),
}

/// A campaign did not lead to leadership. Nothing is held.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CampaignError {
    /// The lock of the election was not acquired: somebody else has it and a limit was set, no quorum answers, or the request was
    /// wrong.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// Fencing is switched off ([`LocksBuilder::fencing`](crate::LocksBuilder::fencing)), so that there would be no epochs.
    #[error("an election needs fencing tokens for its epochs, and fencing is switched off")]
    NoFencing,
    /// [`Election::retire`](crate::Election::retire) was called.
    #[error("this candidate has retired from the election")]
    Retired,
}

impl CampaignError {
    /// Whether another campaign can end otherwise, with nothing changed here.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Acquire(
                AcquireError::Busy { .. } | AcquireError::Unavailable { .. } | AcquireError::Random(_)
            )
        )
    }
}
