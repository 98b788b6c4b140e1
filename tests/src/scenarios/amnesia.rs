//! Nodes crash, and come back without their memory while somebody holds a lock.

use std::time::Duration;

use super::two::two_hold;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "amnesia",
    about: "nodes that crash and come back without their memory grant what somebody holds",
    source: "Kleppmann 2016, \"How to do distributed locking\"; the delayed restarts of Redis' own page",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[ActionKind::Kill, ActionKind::StartEmpty],
    kills: &["quarantine"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    two_hold(scene, || {
        scene.act_on(0..2, Action::Kill)?;
        scene.act_on(0..2, Action::StartEmpty)
    })
}
