//! One node has counted further than the others, and the next holder does not meet it.

use std::time::Duration;

use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::network::Direction;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "token-of-a-minority",
    about: "the greatest counter of a quorum is on one node alone, and a later holder that meets others has a lower token",
    source: "Kleppmann 2016 (counters of several nodes would go out of sync)",
    nodes: 3,
    ttl: Duration::from_secs(3),
    needs: &[],
    kills: &["fence_quorum"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (first, second) = (scene.locks(0)?, scene.locks(1)?);
    scene.count_ahead(0)?;
    scene.way(0, 2).cut(Direction::Both);
    scene.way(1, 0).cut(Direction::Both);
    rises(scene.token(&first)?, scene.token(&second)?)
}

/// A later holder must have a greater token.
pub(super) fn rises(earlier: u64, later: u64) -> Result<Finding, SceneError> {
    Ok(Finding::bad_if(
        later <= earlier,
        format!("a later holder's fencing token {later} is not above {earlier}"),
    ))
}
