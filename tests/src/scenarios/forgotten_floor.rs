//! One node after the other loses its memory, each when the one before is in good order again; nobody uses the lock meanwhile.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::node::{Incarnation, Node, Standing};

use super::minority_token::rises;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "forgotten-tokens",
    about: "nodes come back without their counters, and the next holder has a token that was given before",
    source: "Kleppmann 2016 (fencing needs a counter that does not go back)",
    nodes: 3,
    ttl: Duration::from_millis(600),
    needs: &[ActionKind::Kill, ActionKind::StartEmpty],
    kills: &["fence_floor"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    (0..scene.nodes()).try_for_each(|node| scene.count_ahead(node))?;
    let token = scene.token(&locks)?;
    for lost in 0..scene.nodes() {
        let before = incarnation(&locks.nodes()[lost]);
        scene.act(lost, Action::Kill)?;
        scene.act(lost, Action::StartEmpty)?;
        scene.eventually("the node is in good order again, with another memory", || {
            // Another name: whoever asks notices.
            let _ = block_on(locks.lock("other").try_acquire());
            let now = incarnation(&locks.nodes()[lost]);
            Ok(now.is_some() && now != before && locks.nodes().iter().all(is_admitted))
        })?;
    }
    rises(token, scene.token(&locks)?)
}

fn incarnation(node: &Arc<dyn Node>) -> Option<Incarnation> {
    Arc::clone(node).incarnation()
}

fn is_admitted(node: &Arc<dyn Node>) -> bool {
    matches!(node.standing(), Standing::Marked(marker) if marker.floor.is_some())
}
