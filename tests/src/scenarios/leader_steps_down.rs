//! A leader is to step down, and takes its time; another one waits.

use std::time::Duration;

use futures::executor::block_on;
use redlock::{AcquireError, CampaignError};

use super::scene::NAME;
use super::terms::Leader;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::support::LIMIT;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "leader-steps-down",
    about: "a leader that steps down resigns first and ends its work later, beside the next leader's",
    source: "client-go's release on cancel (the work may go on behind it)",
    nodes: 3,
    ttl: Duration::from_secs(1),
    needs: &[],
    kills: &["await_work"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let leader = Leader::start(scene, &locks, locks.election(NAME))?;
    leader.election.set_eligible(false);
    // Longer than a leadership lasts that nobody renews.
    let impatient = other.election(NAME).wait_at_most(scene.ttl() * 2);
    match block_on(impatient.campaign()) {
        Err(CampaignError::Acquire(AcquireError::Busy { .. })) if leader.works() => {}
        Ok(_) if leader.works() => {
            return Ok(Finding::Bad("a leader that steps down works on beside the next one".to_owned()));
        }
        _ => return Err(SceneError::TooSlow("the next candidate had lost its patience")),
    }
    leader.may_end();
    let _next = block_on(other.election(NAME).wait_at_most(LIMIT).campaign())?;
    Ok(Finding::bad_if(leader.works(), "a leader works on that has resigned"))
}
