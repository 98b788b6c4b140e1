//! One extension fails while a majority cannot be reached for a moment.

use std::time::Duration;

use futures::executor::block_on;
use redlock::ExtendError;

use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::network::Direction;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "failed-extension",
    about: "one extension that fails deletes the lock on all nodes, long before its time is over",
    source: "rslock",
    nodes: 3,
    ttl: Duration::from_secs(6),
    needs: &[],
    kills: &[],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    let guard = scene.acquire(&locks)?;
    scene.eventually("every node has the lock", || Ok(scene.with_lock()? == scene.nodes()))?;
    (0..2).for_each(|node| scene.way(0, node).cut(Direction::Requests));
    let failed = block_on(guard.extend());
    let (is_valid, left) = (guard.is_valid(), scene.with_lock()?);
    match failed {
        Err(ExtendError::Failed { .. }) => {}
        result => return Ok(Finding::Bad(format!("an extension without a majority says {result:?}"))),
    }
    if !is_valid || left < scene.nodes() {
        return Ok(Finding::Bad(format!("after one extension that failed {left} of 3 nodes have the lock")));
    }
    scene.mend(0)?;
    scene.eventually("it is extended", || Ok(block_on(guard.extend()).is_ok() || !guard.is_valid()))?;
    Ok(Finding::bad_if(!guard.is_valid(), "the lock is lost although the nodes came back in time"))
}
