//! What a candidate knows of its own leadership: who watches it, and what is told of it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::health::Health;
use super::term::Term;
use crate::env::Env;
use crate::telemetry::{ElectionMeters, events};
use crate::{FencingToken, Held, Instant, LockName, LostReason};

/// So long the work has to be dropped when a leadership is lost before the end of its validity.
const AFTER_SUDDEN_LOSS: Duration = Duration::from_millis(100);

/// A leadership was lost, its validity has ended, and the work has not: see [`Election::on_overrun`](crate::Election::on_overrun).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Overrun {
    /// The election.
    pub name: LockName,
    /// The leadership's epoch.
    pub epoch: FencingToken,
    /// Why it was lost.
    pub reason: LostReason,
}

/// What to do about an overrun.
#[derive(Clone)]
pub(super) struct OnOverrun(Arc<dyn Fn(&Overrun) + Send + Sync>);

impl OnOverrun {
    pub(super) fn new(hook: impl Fn(&Overrun) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }
}

/// Shared by all clones of an election, and by all that is left of its leaderships.
pub(crate) struct Shared {
    pub(super) meters: ElectionMeters,
    /// The leadership that somebody has in hand.
    current: Mutex<Option<Held>>,
}

impl Shared {
    pub(super) fn new(meters: ElectionMeters) -> Arc<Self> {
        Arc::new(Self { meters, current: Mutex::new(None) })
    }

    fn current(&self) -> MutexGuard<'_, Option<Held>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn health(&self, now: Instant) -> Health {
        let held = self.current().clone();
        held.map_or(Health::Standby, |held| Health::of(&held, now))
    }

    /// A leadership begins: it is told, and watched until its end.
    pub(super) fn began(self: &Arc<Self>, term: &Term, env: &Arc<dyn Env>, on_overrun: Option<OnOverrun>) {
        *self.current() = Some(term.held.clone());
        self.meters.won(term.epoch);
        events::leads(term.name(), term.epoch, &term.candidate);
        let (shared, held, epoch, watch) = (Arc::clone(self), term.held.clone(), term.epoch, Arc::clone(env));
        env.spawn(Box::pin(async move { shared.watch(held, epoch, watch, on_overrun).await }));
    }

    /// Nobody has this leadership in hand any more.
    pub(super) fn ended(&self, term: &Term) {
        self.current().take_if(|held| held.fencing_token() == Some(term.epoch));
    }

    fn is_in_hand(&self, epoch: FencingToken) -> bool {
        self.current().as_ref().is_some_and(|held| held.fencing_token() == Some(epoch))
    }

    async fn watch(
        self: Arc<Self>,
        held: Held,
        epoch: FencingToken,
        env: Arc<dyn Env>,
        on_overrun: Option<OnOverrun>,
    ) {
        let lost = held.lost().await;
        self.meters.ended(lost);
        let name = held.name().clone();
        let Some(reason) = lost else { return events::leads_no_more(&name, epoch) };
        events::leadership_lost(&name, epoch, reason);
        let Some(OnOverrun(hook)) = on_overrun else { return };
        let at = held.valid_until().min(env.now().saturating_add(AFTER_SUDDEN_LOSS));
        env.sleep_until(at).await;
        if self.is_in_hand(epoch) {
            self.meters.overran();
            events::work_overruns(&name, epoch);
            hook(&Overrun { name, epoch, reason });
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
