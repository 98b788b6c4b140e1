//! Fencing tokens rise in the order of holding.

use std::collections::BTreeMap;

use redlock::{FencingToken, LockName};

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// The largest token of each name so far.
#[derive(Default)]
pub(super) struct Tokens {
    largest: BTreeMap<LockName, FencingToken>,
}

impl Invariant for Tokens {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Acquired { hold } = event else { return Ok(()) };
        let hold = &scene.holds[*hold];
        // Whoever was held up until its validity had ended is not a holder any more.
        if scene.is_excused(hold) || !hold.held.is_valid() {
            return Ok(());
        }
        let Some(token) = hold.held.fencing_token() else {
            return Err(format!("client {} holds {:?} without a fencing token", hold.client, hold.name));
        };
        let earlier = self.largest.get(&hold.name).copied();
        self.largest.insert(hold.name.clone(), earlier.map_or(token, |earlier| earlier.max(token)));
        match earlier.filter(|earlier| token <= *earlier) {
            None => Ok(()),
            Some(earlier) => Err(format!(
                "client {} acquired {:?} with token {}, after token {}",
                hold.client,
                hold.name,
                token.get(),
                earlier.get()
            )),
        }
    }
}
