//! Somebody deletes a lock on a majority, and another client takes it; then the first holder renews.

use std::time::Duration;

use futures::executor::block_on;
use redlock::{LockGuard, Locks};

use super::scene::KEY;
use super::two::both_hold;
use super::{Finding, Play, Scenario, Scene, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "deleted-and-taken",
    about: "a holder whose lock was deleted by hand and taken by another renews it, and both believe in it",
    source: "aioredlock (extending brings a lock back); RedLock.net #93",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["extend_owner_check", "lost_on_majority"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let guard = held_and_deleted(scene, &locks)?;
    // Until now nobody could know; from the next renewal on the holder must.
    let rival = scene.hold(&other)?;
    let _ = block_on(guard.extend());
    if !rival.is_valid() {
        return Err(SceneError::TooSlow("its first holder had asked for more"));
    }
    Ok(both_hold(&guard, &rival))
}

/// A holder whose key somebody has deleted on two of three nodes.
pub(super) fn held_and_deleted(scene: &Scene, locks: &Locks) -> Result<LockGuard, SceneError> {
    let guard = scene.acquire(locks)?;
    scene.eventually("the lock is on every node", || Ok(scene.with_lock()? == scene.nodes()))?;
    for node in 0..2 {
        scene.command(node, &["DEL", KEY])?;
    }
    Ok(guard)
}
