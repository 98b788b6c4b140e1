//! Where everything that happens in a run is told, and judged.

use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redlock::env::Env;
use redlock::testing::virtual_env::VirtualEnv;

use super::event::Event;
use super::invariants::{self, Invariant};
use super::outcome::Violation;
use super::record::{Record, Trace};
use super::scene::Scene;
use super::situations::{self, Situation};

/// The judge of a run; its nodes and clients share it.
pub(crate) struct Ledger {
    env: Arc<dyn Env>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) scene: Scene,
    pub(crate) record: Record,
    /// How many locks were acquired.
    pub(crate) acquired: u64,
    pub(crate) trace: Trace,
    /// What went wrong, the first few of it.
    pub(crate) violations: Vec<Violation>,
    invariants: Vec<(&'static str, Box<dyn Invariant>)>,
    situations: Vec<Box<dyn Situation>>,
}

/// One violation tells enough; the next ones mostly follow from it.
const MOST_VIOLATIONS: usize = 8;

impl Ledger {
    pub(crate) fn new(sim: &VirtualEnv, scene: Scene) -> Arc<Self> {
        let state = Mutex::new(State {
            scene,
            record: Record::default(),
            acquired: 0,
            trace: Trace::default(),
            violations: Vec::new(),
            invariants: invariants::all(),
            situations: situations::observers(),
        });
        Arc::new(Self { env: sim.env(), state })
    }

    /// The state as of now.
    pub(crate) fn now(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.scene.now = self.env.now();
        state
    }

    /// Something has happened.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.now().tell(event);
    }

    pub(crate) fn count(&self, situation: &'static str) {
        self.now().record.count(situation);
    }

    pub(crate) fn violate(&self, invariant: &'static str, what: String) {
        self.now().violate(invariant, what);
    }
}

impl State {
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        self.scene.now.hash(&mut self.trace.0);
        event.trace(&mut self.trace.0);
        self.acquired += u64::from(matches!(event, Event::Acquired { .. }));
        let Self { scene, record, situations, .. } = self;
        situations.iter_mut().for_each(|situation| situation.see(scene, event, record));
        let mut invariants = std::mem::take(&mut self.invariants);
        for (name, invariant) in &mut invariants {
            if let Err(what) = invariant.see(&self.scene, event) {
                self.violate(name, what);
            }
        }
        self.scene.take_in(event);
        for (name, invariant) in &mut invariants {
            if let Err(what) = invariant.look(&self.scene, event) {
                self.violate(name, what);
            }
        }
        self.invariants = invariants;
    }

    pub(crate) fn violate(&mut self, invariant: &'static str, what: String) {
        if self.violations.len() < MOST_VIOLATIONS {
            let at: Duration = self.scene.now.saturating_since(VirtualEnv::START);
            self.violations.push(Violation { invariant, at, what });
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}
