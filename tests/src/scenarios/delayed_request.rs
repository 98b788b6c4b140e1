//! A client asks nodes that stand still, and dies; they run its request when they go on.

use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;

use super::scene::{NAME, PATIENCE};
use super::{Finding, Play, Scenario, Scene, SceneError, joined};
use crate::fleet::{Action, ActionKind};
use crate::network::Direction;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "delayed-request",
    about: "nodes that stood still run the old request of a client that has gone, and keep everybody out",
    source: "Kleppmann 2016 (delayed packets); a stopped server runs what its kernel has queued up",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[ActionKind::Pause, ActionKind::Resume],
    kills: &["stale_deadline"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    let run = |node| scene.requests_run(node);
    let before = [run(0)?, run(1)?];
    scene.act_on(0..2, Action::Pause)?;
    let asked = Instant::now();
    let lock = locks.lock(NAME);
    let acquiring = thread::spawn(move || block_on(lock.try_acquire()));
    scene.eventually("the requests have left the client", || {
        Ok(scene.has_lock(2)? && (0..2).all(|node| scene.way(0, node).waiting() == 0))
    })?;
    // Nothing of what comes later gets there: the client is as good as dead.
    scene.cut(0, Direction::Requests);
    drop(joined(acquiring)?);
    scene.eventually("the deadline has passed", || Ok(asked.elapsed() > 2 * PATIENCE))?;
    scene.act_on(0..2, Action::Resume)?;
    scene.eventually("the nodes have run what had queued up", || {
        Ok(run(0)? > before[0] && run(1)? > before[1])
    })?;
    let ghosts = [scene.has_lock(0)?, scene.has_lock(1)?].into_iter().filter(|&has| has).count();
    Ok(Finding::bad_if(
        ghosts > 0,
        format!("{ghosts} of 3 nodes have granted the lock to a client that has gone"),
    ))
}
