//! The wall clocks of all nodes are set ahead together while somebody holds a lock.

use std::time::Duration;

use super::two::gets_in;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "clocks-jump-together",
    about: "all nodes agree with each other that a lock has expired, for one wrong source of time has set all their clocks",
    source: "Kleppmann 2016; redis #416, valkey #2651",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[ActionKind::ClockStep],
    kills: &["own_clock"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let guard = scene.hold(&locks)?;
    scene.act_on(0..scene.nodes(), Action::ClockForward(Duration::from_secs(60)))?;
    // The holder gives it up as soon as it has seen the clocks.
    Ok(gets_in(&guard, &other))
}
