//! A caller loses patience, and drops an acquire whose requests are under way.

use std::time::Duration;

use futures::FutureExt as _;

use super::scene::NAME;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::network::{Direction, Way};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "dropped-acquire",
    about: "an acquire that was cancelled half-way leaves its keys behind",
    source: "rslock (a dropped future leaks), redsync (the clean-up is cancelled too), pottery",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["adopt_stragglers"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    scene.cut(0, Direction::Replies);
    let lock = locks.lock(NAME);
    let mut acquiring = Box::pin(lock.try_acquire());
    if (&mut acquiring).now_or_never().is_some() {
        return Err(SceneError::Unexpected("an acquire ended without any reply".to_owned()));
    }
    scene.eventually("the nodes have granted", || Ok(scene.with_lock()? == scene.nodes()))?;
    drop(acquiring);
    scene.ways(0).for_each(Way::mend);
    scene.leaves_nothing(&locks)
}
