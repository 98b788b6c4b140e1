//! A node that has lost its memory grants nothing new until everything that it may have forgotten has ended.

use redlock::testing::faulty::Op;

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

pub(super) struct Quarantine;

impl Invariant for Quarantine {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Ran(ran) = event else { return Ok(()) };
        if ran.op != Op::Acquire || !ran.granted() {
            return Ok(());
        }
        let Some(forgot) = scene.forgot[ran.node] else { return Ok(()) };
        let since = scene.now.saturating_since(forgot);
        if since >= scene.longest_ttl {
            return Ok(());
        }
        Err(format!("node {} granted {:?} only {since:?} after it had lost its memory", ran.node, ran.name))
    }
}
