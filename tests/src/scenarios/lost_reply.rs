//! The nodes grant; their replies are lost, and so are the releases that the client sends then.

use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;

use super::scene::{NAME, built};
use super::{Finding, Play, Scenario, Scene, SceneError, joined};
use crate::network::{Direction, Way};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "lost-reply",
    about: "a client whose replies were lost leaves its keys behind, which block everybody and its own next try",
    source: "node-redlock #369 (blocks itself); due, redlock-rs",
    nodes: 3,
    ttl: Duration::from_secs(8),
    needs: &[],
    kills: &["release_unknown"],
    play: Play::OnFleet(play),
};

/// Long enough to cut the ways within it on a busy machine.
const PATIENCE: Duration = Duration::from_millis(900);

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = built(scene.builder(0)?.node_timeout(PATIENCE))?;
    scene.ways(0).for_each(|way| way.lose_reply_to("EVALSHA"));
    let lock = locks.lock(NAME);
    let acquiring = thread::spawn(move || block_on(lock.try_acquire()));
    scene.eventually("the replies are lost", || Ok(scene.ways(0).all(|way| !way.is_losing_a_reply())))?;
    // The releases behind it do not get there either.
    scene.cut(0, Direction::Requests);
    drop(joined(acquiring)?);
    let failed = Instant::now();
    scene.eventually("the releases are given up", || Ok(failed.elapsed() > PATIENCE))?;
    scene.ways(0).for_each(Way::reset);
    scene.ways(0).for_each(Way::mend);
    scene.leaves_nothing(&locks)
}
