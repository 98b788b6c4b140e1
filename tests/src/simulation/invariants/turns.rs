//! A lease goes from hand to hand so many times, and for so long, and then others get their turn.

use std::time::Duration;

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// What a lease may be handed over in, by a clock that is somewhat slow.
const LONGEST: Duration = Duration::from_millis(101);

pub(super) struct Turns;

impl Invariant for Turns {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Acquired { hold } = event else { return Ok(()) };
        let new = &scene.holds[*hold];
        if new.handed > scene.bounds[new.client] {
            let bound = scene.bounds[new.client];
            return Err(format!(
                "client {} has handed {:?} over {} times, with a bound of {bound}",
                new.client, new.name, new.handed
            ));
        }
        let mut before = scene.holds[..*hold]
            .iter()
            .rev()
            .filter(|hold| hold.client == new.client && hold.owner == new.owner)
            .take(new.handed);
        let (last, first) = (before.next(), before.last());
        let Some(let_go) = last.and_then(|last| last.let_go) else { return Ok(()) };
        let first = first.or(last).map_or(let_go, |first| first.acquired);
        // A clock that stands still tells no end.
        let tenure = let_go.saturating_since(first);
        if tenure < LONGEST || scene.is_excused(new) {
            return Ok(());
        }
        Err(format!("client {} has handed {:?} over after {tenure:?}", new.client, new.name))
    }
}
