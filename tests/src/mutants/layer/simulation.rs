//! The simulation: how many seeds it takes.

use redlock::Protections;

use super::{Fate, Layer};
use crate::simulation;

pub(super) struct Simulation {
    pub(super) seeds: u64,
}

impl Layer for Simulation {
    fn name(&self) -> &'static str {
        "simulation"
    }

    fn try_without(&self, safeguard: &'static str) -> Fate {
        let found = Protections::without(safeguard)
            .and_then(|without| simulation::first_violation(without, self.seeds));
        match found {
            Some((0, _)) => Fate::Killed("by the first seed".to_owned()),
            Some((seed, _)) => Fate::Killed(format!("after {} seeds", seed + 1)),
            None => Fate::Survived(format!("{} seeds", self.seeds)),
        }
    }
}
