//! Nodes lose power, and come back with what their logs had some time ago, while somebody holds a lock.

use std::time::Duration;

use super::two::two_hold;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "power-loss",
    about: "nodes whose logs are synced every second come back without the last second, and grant what somebody holds",
    source: "Redis' own page (fsync always, or delayed restarts); Kleppmann 2016",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[ActionKind::LosePower],
    kills: &["quarantine"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    two_hold(scene, || scene.act_on(0..2, Action::LosePower))
}
