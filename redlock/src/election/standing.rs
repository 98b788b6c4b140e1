//! Whether a candidate stands for the election.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether it may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Eligible,
    Ineligible,
    /// For good.
    Retired,
}

/// Shared by all clones of an election. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(super) struct Eligibility(Arc<watch::Sender<Standing>>);

impl Eligibility {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Standing::Eligible)))
    }

    pub(super) fn get(&self) -> Standing {
        *self.0.borrow()
    }

    pub(super) fn set(&self, to: Standing) {
        self.0.send_if_modified(|now| {
            let changes = *now != to && *now != Standing::Retired;
            if changes {
                *now = to;
            }
            changes
        });
    }

    /// Completes once it stands as `is` wants it, and says how. Cancel safe and level-triggered.
    pub(super) async fn until(&self, is: impl Fn(Standing) -> bool) -> Standing {
        let mut receiver = self.0.subscribe();
        // Copied at once: what it was read from must not be kept across an `await`, or campaigns could not be spawned.
        let standing = receiver.wait_for(|standing| is(*standing)).await.map(|standing| *standing);
        match standing {
            Ok(standing) => standing,
            // It cannot be closed as long as this sender is there.
            Err(_) => std::future::pending().await,
        }
    }

    /// Completes once it may lead, or never again: then `false`.
    pub(super) async fn until_eligible(&self) -> bool {
        self.until(|standing| standing != Standing::Ineligible).await == Standing::Eligible
    }

    /// Completes once it may not lead.
    pub(super) async fn until_not_eligible(&self) -> Standing {
        self.until(|standing| standing != Standing::Eligible).await
    }
}
