//! A majority of the nodes crashes, and stays down.

use std::time::Duration;

use futures::executor::block_on;
use redlock::AcquireError;

use super::scene::NAME;
use super::{Finding, Play, Scenario, Scene, SceneError, by_itself};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "majority-down",
    about: "without a majority a client waits for ever, or says no more than that it failed, and leaves keys on the others",
    source: "redlock-rs (keys stay), node-redlock #168, #282 (the error)",
    nodes: 3,
    ttl: Duration::from_secs(20),
    needs: &[ActionKind::Kill],
    kills: &[],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    scene.act_on(0..2, Action::Kill)?;
    let lock = locks.lock(NAME);
    let tried = by_itself(scene, move || block_on(lock.try_acquire()))?;
    match tried {
        Some(Err(AcquireError::Unavailable { .. })) => {}
        Some(result) => return Ok(Finding::Bad(format!("without a majority a client is told {result:?}"))),
        None => return Ok(Finding::Bad("without a majority a client waits for ever".to_owned())),
    }
    // The TTL is longer than this waits: nothing expires.
    let left = scene.eventually("nothing is left", || Ok(!scene.has_lock(2)?));
    Ok(Finding::bad_if(left.is_err(), "a node keeps a lock that nobody holds"))
}
