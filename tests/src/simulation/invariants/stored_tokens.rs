//! A holder's fencing token is stored on a quorum of nodes when it gets it, where nodes keep what they have.

use super::Invariant;
use crate::simulation::event::Event;
use crate::simulation::scene::Scene;

/// Also of a token that comes out of the middle of a span.
pub(super) struct StoredTokens;

impl Invariant for StoredTokens {
    fn see(&mut self, scene: &Scene, event: &Event<'_>) -> Result<(), String> {
        let Event::Acquired { hold } = event else { return Ok(()) };
        let hold = &scene.holds[*hold];
        let Some(token) = hold.held.fencing_token() else { return Ok(()) };
        if !scene.nodes_keep || !hold.held.is_valid() {
            return Ok(());
        }
        let counters = scene.counters.iter().map(|counters| counters.get(&hold.name).copied().unwrap_or(0));
        let stored = counters.filter(|counter| *counter >= token.get()).count();
        if stored >= scene.quorum {
            return Ok(());
        }
        Err(format!(
            "client {} got {:?} with token {}, which {stored} nodes store",
            hold.client,
            hold.name,
            token.get()
        ))
    }
}
