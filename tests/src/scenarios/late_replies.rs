//! The replies to an acquire come when the lock has expired, and another client holds it.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::real_env;

use super::late::LateEnv;
use super::scene::{NAME, built};
use super::{Finding, Play, Scenario, Scene, SceneError, joined};
use crate::network::{Direction, Way};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "late-replies",
    about: "a client that was busy while the replies came is handed a lock that has expired, and that another holds",
    source: "Kleppmann 2016 and antirez' answer (read the clock again); node-redlock and Redisson do not",
    nodes: 3,
    ttl: Duration::from_secs(3),
    needs: &[],
    kills: &["validity_check"],
    play: Play::OnFleet(play),
};

/// Less than what a silent connection is given up after.
const SHORT: Duration = Duration::from_millis(500);

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let env = LateEnv::new(real_env().map_err(SceneError::Threads)?);
    let builder = scene.builder(0)?.env(env.clone());
    // No round to raise a token: the replies decide.
    let locks = built(builder.fencing(false))?;
    let other = built(scene.builder(1)?.fencing(false))?;
    scene.cut(0, Direction::Replies);
    env.be_late(true);
    let lock = locks.lock(NAME).ttl(SHORT);
    let acquiring = thread::spawn(move || block_on(lock.try_acquire()));
    scene.eventually("the replies are on their way", || {
        Ok(scene.with_lock()? == scene.nodes() && scene.ways(0).all(|way| way.waiting() > 0))
    })?;
    let rival = scene.acquire(&other)?;
    scene.ways(0).for_each(Way::mend);
    let handed_out = joined(acquiring)?;
    Ok(Finding::bad_if(
        rival.is_valid() && matches!(handed_out, Ok(Some(_))),
        "a client is handed a lock that another one holds",
    ))
}
