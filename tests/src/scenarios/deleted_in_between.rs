//! Somebody deletes a lock on a majority, another client holds it for a moment; then the first holder renews.

use std::time::Duration;

use futures::executor::block_on;

use super::deleted::held_and_deleted;
use super::{Finding, Play, Scenario, Scene, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "deleted-and-held-in-between",
    about: "a holder renews a lock that was deleted, held by another and released, and never learns of it",
    source: "aioredlock; RedLock.net (an extension sets a missing key anew)",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["restore_new_only", "lost_on_majority"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let guard = held_and_deleted(scene, &locks)?;
    block_on(scene.acquire(&other)?.release())?;
    let _ = block_on(guard.extend());
    Ok(Finding::bad_if(guard.is_valid(), "a holder believes in its lock after another client has held it"))
}
