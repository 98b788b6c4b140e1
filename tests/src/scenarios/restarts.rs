//! Nodes are restarted one by one under a lock that is held and renewed.

use std::time::Duration;

use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "rolling-restart",
    about: "a lock that is renewed all the time is lost as its nodes are restarted one by one, for none is given it back",
    source: "redsync #186",
    nodes: 3,
    ttl: Duration::from_secs(2),
    needs: &[ActionKind::Kill, ActionKind::StartEmpty],
    kills: &["restore"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    let guard = scene.acquire(&locks)?;
    scene.eventually("every node has the lock", || Ok(scene.with_lock()? == scene.nodes()))?;
    for node in 0..scene.nodes() {
        scene.act(node, Action::Kill)?;
        scene.act(node, Action::StartEmpty)?;
        let back = guard.valid_until();
        // Two renewals are two chances; the first may have been under way.
        let mut renewals = 0;
        let mut seen = back;
        scene.eventually("the lock is back on the node, or was renewed without it, or lost", || {
            let until = guard.valid_until();
            renewals += usize::from(until > seen);
            seen = until;
            Ok(scene.has_lock(node)? || !guard.is_valid() || renewals >= 3)
        })?;
    }
    let until = guard.valid_until();
    scene.eventually("the lock is renewed, or lost", || {
        Ok(guard.valid_until() > until || !guard.is_valid())
    })?;
    Ok(Finding::bad_if(!guard.is_valid(), "a lock that was renewed all the time is lost"))
}
