//! The nodes grant, and their replies are lost.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;

use super::scene::NAME;
use super::{Finding, Play, Scenario, Scene, SceneError, joined};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "lost-reply",
    about: "a client whose replies were lost leaves its keys behind, which block everybody and its own next try",
    source: "node-redlock #369 (blocks itself); due, redlock-rs",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &[],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    scene.ways(0).for_each(|way| way.lose_reply_to("EVALSHA"));
    let lock = locks.lock(NAME);
    let acquiring = thread::spawn(move || block_on(lock.try_acquire()));
    scene.eventually("the replies are lost", || Ok(scene.ways(0).all(|way| !way.is_losing_a_reply())))?;
    drop(joined(acquiring)?);
    scene.leaves_nothing(&locks)
}
