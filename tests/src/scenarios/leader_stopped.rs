//! A leader's whole process stands still beyond its validity, and goes on with what it was about to do.

use std::time::Duration;

use futures::executor::block_on;
use redlock::Locks;

use super::paused_client::{Rival, course};
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::support::LIMIT;
use crate::worker::{Habit, name_of};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "leader-stopped",
    about: "a leader that stood still beyond its time writes as if it still led, and the next leader's update is lost",
    source: "Kleppmann 2016 (the pause of a garbage collector; fencing tokens)",
    nodes: 3,
    ttl: Duration::from_secs(2),
    needs: &[],
    kills: &[],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    course(scene, Habit::Leads, campaign)
}

fn campaign(locks: &Locks) -> Result<Rival, SceneError> {
    let leadership = block_on(locks.election(name_of(0)).wait_at_most(LIMIT).campaign())?;
    let token = leadership.epoch().get();
    Ok(Rival { token, is_valid: Box::new(move || !leadership.remaining().is_zero()) })
}
