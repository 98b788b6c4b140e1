//! Epochs rise strictly in the order of leading.

use redlock::FencingToken;

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// The largest one so far; elections have one name.
#[derive(Default)]
pub(super) struct Epochs(Option<FencingToken>);

impl Invariant for Epochs {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Led { office } = event else { return Ok(()) };
        let new = &scene.offices[*office];
        let epoch = new.term.epoch();
        let earlier = self.0.replace(epoch).filter(|earlier| epoch <= *earlier);
        match earlier {
            None => Ok(()),
            Some(earlier) => Err(format!(
                "client {} leads with epoch {}, after {}",
                new.client,
                epoch.get(),
                earlier.get()
            )),
        }
    }
}
