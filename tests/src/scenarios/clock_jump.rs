//! The wall clock of a node is set ahead, and it lets a lock expire before its time.

use std::time::Duration;

use super::scene::KEY;
use super::two::two_hold;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "clock-jump",
    about: "a node whose clock is set ahead lets a lock expire early, and with a node that never had it makes a quorum",
    source: "Kleppmann 2016; redis #416, valkey #2651",
    nodes: 3,
    ttl: Duration::from_secs(3),
    needs: &[ActionKind::ClockStep],
    kills: &["clock_guard"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    two_hold(scene, || {
        scene.eventually("the lock is on every node", || Ok(scene.with_lock()? == scene.nodes()))?;
        // As if the last one had not been reached when it was acquired.
        scene.command(2, &["DEL", KEY])?;
        scene.act(0, Action::ClockForward(Duration::from_secs(60)))
    })
}
