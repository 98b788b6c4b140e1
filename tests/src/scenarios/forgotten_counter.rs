//! A lock is held and extended while one node after the other loses its fencing counter.

use std::time::Duration;

use futures::executor::block_on;
use redlock::LockGuard;

use super::minority_token::rises;
use super::scene::{COUNTER, token_of};
use super::{Finding, Play, Scenario, Scene, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "forgotten-counters",
    about: "nodes lose their counters one by one under a lock that is renewed, and the next holder has a lower token",
    source: "Kleppmann 2016 (fencing needs a counter that does not go back)",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["fence_extend"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    (0..scene.nodes()).try_for_each(|node| scene.count_ahead(node))?;
    let guard = scene.acquire(&locks)?;
    let token = token_of(&guard)?;
    scene.eventually("every node has granted", || Ok(scene.with_lock()? == scene.nodes()))?;
    forget_one_by_one(scene, &guard)?;
    block_on(guard.release())?;
    rises(token, scene.token(&other)?)
}

/// Every node in turn loses its counter, and has the lock extended behind that.
pub(super) fn forget_one_by_one(scene: &Scene, guard: &LockGuard) -> Result<(), SceneError> {
    for node in 0..scene.nodes() {
        scene.command(node, &["DEL", COUNTER])?;
        let before = scene.requests_run(node)?;
        block_on(guard.extend()).map_err(|error| SceneError::Unexpected(error.to_string()))?;
        scene.eventually("the extension has arrived", || Ok(scene.requests_run(node)? > before))?;
    }
    Ok(())
}
