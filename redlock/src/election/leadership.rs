//! The leadership itself: whoever has it leads, until it is resigned, dropped or lost.

use std::fmt;
use std::ops::Deref;

use super::term::Term;
use crate::{LockGuard, ReleaseError};

/// A leadership, renewed until it is resigned or dropped. [`Term`] has what can be asked of it.
///
/// Dropping it resigns in the background: it neither blocks nor fails, and works after the runtime that campaigned has gone. Drop it
/// only when the work of the leader has ended: the next leader begins at once. Forgotten ([`std::mem::forget`]) it is renewed until
/// the process ends.
#[must_use = "a leadership ends as soon as it is dropped"]
pub struct Leadership {
    term: Term,
    guard: LockGuard,
}

impl Leadership {
    pub(super) fn new(term: Term, guard: LockGuard) -> Self {
        Self { term, guard }
    }

    /// A view of it, to share with those who work for the leader.
    pub fn term(&self) -> Term {
        self.term.clone()
    }

    /// Resigns: from the first poll on it does not lead any more, and renews nothing. Returns once a majority of nodes has confirmed, so
    /// that the next leader can begin; the other nodes are seen to in the background. Call it when the work of the leader has
    /// ended.
    ///
    /// After [`ReleaseError::Unconfirmed`] call it again, if it matters when the next leader begins: it asks again the nodes that have
    /// not answered. The background does so in any case.
    ///
    /// Cancel safe: dropped, it goes on in the background, and can be called again.
    ///
    /// # Errors
    /// [`ReleaseError::NotHeld`]: it did not lead to the end; what it did lately may have overlapped with the next leader.
    /// [`ReleaseError::Unconfirmed`]: too few nodes answered.
    pub async fn resign(&mut self) -> Result<(), ReleaseError> {
        self.guard.try_release().await
    }
}

impl Deref for Leadership {
    type Target = Term;

    fn deref(&self) -> &Term {
        &self.term
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.term.shared.ended(&self.term);
    }
}

impl fmt::Debug for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.term.fmt(f)
    }
}
