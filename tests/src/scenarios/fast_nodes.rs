//! The clocks of the nodes run faster than the holder's, and let its lock expire before its TTL.

use std::time::Duration;

use super::scene::built;
use super::two::gets_in;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "fast-nodes",
    about: "a holder believes in its lock for its whole TTL, and nodes whose clocks run faster have let it expire",
    source: "Redis' own page (the drift); redsync #72, pottery and Redisson, which allow for none",
    nodes: 3,
    ttl: Duration::from_secs(3),
    needs: &[ActionKind::ClockRate],
    kills: &["drift_allowance"],
    play: Play::OnFleet(play),
};

/// Allows for clocks that are 2.5 % wrong each, so that there is time to see it.
const DRIFT_FACTOR: f64 = 0.05;
/// 4 %, less than that of both.
const RATE: i32 = 40_000;

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = |client| Ok::<_, SceneError>(built(scene.builder(client)?.drift_factor(DRIFT_FACTOR))?);
    let (locks, other) = (locks(0)?, locks(1)?);
    scene.act_on(0..scene.nodes(), Action::ClockRate(RATE))?;
    let guard = scene.hold(&locks)?;
    Ok(gets_in(&guard, &other))
}
