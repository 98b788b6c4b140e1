//! The ways of a leader to all nodes are cut; another one takes over.

use std::time::Duration;

use futures::executor::block_on;

use super::scene::NAME;
use super::terms::Leader;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::network::Direction;
use crate::support::LIMIT;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "leader-cut-off",
    about: "a leader that no node answers any more works on while the next one leads",
    source: "Kubernetes #23731; Chubby (sessions in jeopardy)",
    nodes: 3,
    ttl: Duration::from_secs(1),
    needs: &[],
    kills: &["stop_in_time"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let leader = Leader::start(scene, &locks, locks.election(NAME))?;
    scene.cut(0, Direction::Both);
    let next = block_on(other.election(NAME).wait_at_most(LIMIT).campaign())?;
    // Read first: what it was then, it was when the next one began at the latest.
    let worked = leader.works();
    let rises = next.epoch() > leader.term.epoch();
    leader.may_end();
    scene.mend(0)?;
    drop((leader, next));
    if worked {
        return Ok(Finding::Bad("a leader that was cut off works on beside the next one".to_owned()));
    }
    Ok(Finding::bad_if(!rises, "the epoch of the next leader is not greater"))
}
