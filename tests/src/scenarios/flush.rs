//! A majority is told to forget everything, by processes that have run for longer than any lock lasts.

use std::time::Duration;

use super::two::two_hold;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "flush",
    about: "nodes that were told FLUSHALL grant what somebody holds, for their processes are not new",
    source: "whoever judges a node's memory by its uptime",
    nodes: 3,
    ttl: Duration::from_millis(2_500),
    needs: &[ActionKind::Flush],
    kills: &["marker_check", "quarantine", "quarantine_from_marker"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    scene.eventually("the processes are older than any lock", || {
        let uptime = |node| scene.info(node, "server", "uptime_in_seconds:");
        Ok(uptime(0)?.min(uptime(1)?) > scene.ttl().as_secs())
    })?;
    two_hold(scene, || scene.act_on(0..2, Action::Flush))
}
