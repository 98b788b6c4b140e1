//! A lease that this process has, from the nodes' grant to the release: one holder after the other may have it.

use std::fmt;
use std::sync::Arc;

use crate::driver::ReleaseResult;
use crate::error::{LostReason, ReleaseError};
use crate::lease::{Hold, Lease, Passing};
use crate::locks::Core;
use crate::renewal::Place;
use crate::telemetry::events;

/// Dropped, it releases in the background: it can get stuck nowhere.
pub(crate) struct Tenure {
    core: Arc<Core>,
    lease: Arc<Lease>,
    /// Its place in the renewal plan.
    renewal: Place,
    /// Taken by an explicit release, so that dropping does not release again.
    armed: bool,
    /// The nodes are to be asked only after others could ask them.
    yields: bool,
}

impl Tenure {
    /// Begins with a lease that the nodes have granted: it is renewed from now on, and known to the waiters of this process.
    pub(crate) fn new(core: Arc<Core>, lease: Arc<Lease>) -> Self {
        let renewal = core.renewal.add(&lease);
        // Behind its place in the plan: whoever finds the clock wrong from now on finds it there.
        lease.lose_if_clock_moved();
        core.queue.held(&lease);
        Self { core, lease, renewal, armed: true, yields: false }
    }

    pub(crate) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Ends `hold` and leaves the lease to the next waiter of this process, if there is one and it may be handed over.
    /// Otherwise it is given back, to be released.
    pub(crate) fn hand_over(mut self: Box<Self>, hold: &Hold) -> Result<(), Box<Self>> {
        let core = Arc::clone(&self.core);
        if core.is_closed() || !core.queue.is_waited_for(&self.lease) {
            return Err(self);
        }
        match self.lease.pass_on(hold) {
            Passing::Passed => core.queue.offer(self),
            Passing::Bound => {
                self.yields = true;
                Err(self)
            }
            Passing::Never => Err(self),
        }
    }

    /// Releases on every node, and returns once a majority has confirmed. Can be called again until it has.
    pub(crate) async fn release(&mut self) -> Result<(), ReleaseError> {
        let again = !std::mem::replace(&mut self.armed, false);
        let lost = if again { None } else { self.stop() };
        let owned = Arc::clone(self.lease.owned());
        let result = self.core.driver.release(&owned).await;
        let name = owned.name.clone();
        let result = match (lost, result) {
            (Some(reason), _) => Err(ReleaseError::NotHeld { name, reason: Some(reason) }),
            (None, ReleaseResult::Released) => Ok(()),
            // Earlier requests have released it since.
            (None, ReleaseResult::NotHeld) if again => Ok(()),
            (None, ReleaseResult::NotHeld) => {
                events::lock_not_held(&name);
                Err(ReleaseError::NotHeld { name, reason: None })
            }
            (None, ReleaseResult::Unconfirmed(nodes)) => {
                events::release_unconfirmed(&name, &nodes);
                Err(ReleaseError::Unconfirmed { name, nodes })
            }
        };
        self.core.driver.meters.released(&result);
        result
    }

    /// Ends renewal and the lease; says how it was lost, if it was.
    fn stop(&self) -> Option<LostReason> {
        self.core.renewal.remove(self.renewal);
        self.lease.release()
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        let (core, lease, yields) = (Arc::clone(&self.core), Arc::clone(&self.lease), self.yields);
        let released = move || core.queue.released(&lease, yields.then(|| core.turn_of_others(lease.took())));
        if self.armed {
            self.stop();
            self.core.driver.release_in_background(self.lease.owned(), released);
        } else {
            // Behind an explicit release, whether it came to its end or was dropped on the way.
            released();
        }
    }
}

impl fmt::Debug for Tenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenure").field("lease", &self.lease).finish_non_exhaustive()
    }
}
