//! One node of three never answers: it is slow, or everything on the way to it is swallowed.

use std::time::Duration;

use futures::executor::block_on;

use super::scene::built;
use super::{Finding, Play, Scenario, Scene, SceneError, by_itself};
use crate::network::Direction;

pub(super) const SLOW: Scenario = Scenario {
    name: "slow-node",
    about: "every acquire and release waits for the slowest node",
    source: "redsync #133, #140",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &[],
    play: Play::OnFleet(slow),
};

pub(super) const BLACK_HOLE: Scenario = Scenario {
    name: "black-hole",
    about: "one node that takes connections and never says anything keeps a client from ever acquiring",
    source: "rslock 0.7 (still pending after 20 s)",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &[],
    play: Play::OnFleet(black_hole),
};

fn slow(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    scene.way(0, 1).cut(Direction::Both);
    without_it(scene, move || Ok(locks))
}

fn black_hole(scene: &Scene) -> Result<Finding, SceneError> {
    scene.way(0, 1).cut(Direction::Both);
    let builder = scene.builder(0)?;
    without_it(scene, move || Ok(built(builder)?))
}

/// The way stays cut until it is over, so that nothing here has waited for its end.
fn without_it(
    scene: &Scene,
    locks: impl FnOnce() -> Result<redlock::Locks, SceneError> + Send + 'static,
) -> Result<Finding, SceneError> {
    let done: Option<Result<(), SceneError>> = by_itself(scene, move || {
        let locks = locks()?;
        for _ in 0..5 {
            let guard = block_on(locks.lock(super::scene::NAME).acquire())?;
            block_on(guard.extend()).map_err(|error| SceneError::Unexpected(error.to_string()))?;
            block_on(guard.release())?;
        }
        Ok(())
    })?;
    Ok(match done {
        Some(result) => result.map(|()| Finding::Good)?,
        None => Finding::Bad("a client waits for a node that never answers".to_owned()),
    })
}
