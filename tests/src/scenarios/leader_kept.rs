//! Two of five nodes are killed under a leader.

use std::time::Duration;

use futures::executor::block_on;
use redlock::{AcquireError, CampaignError};

use super::scene::NAME;
use super::terms::Leader;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "leader-kept",
    about: "two of five nodes die, and the leader changes, or there is none",
    source: "elections on one server, or on one with a replica",
    nodes: 5,
    ttl: Duration::from_secs(2),
    needs: &[ActionKind::Kill],
    kills: &[],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let leader = Leader::start(scene, &locks, locks.election(NAME))?;
    scene.act_on(0..2, Action::Kill)?;
    // Longer than a leadership lasts that nobody renews.
    let impatient = other.election(NAME).wait_at_most(scene.ttl() * 3 / 2);
    match block_on(impatient.campaign()) {
        Err(CampaignError::Acquire(AcquireError::Busy { .. } | AcquireError::Unavailable { .. })) => {}
        Ok(_) => return Ok(Finding::Bad("another one leads".to_owned())),
        Err(error) => return Err(error.into()),
    }
    let leads = leader.works() && !leader.term.remaining().is_zero();
    Ok(Finding::bad_if(!leads, "nobody leads any more"))
}
