//! All nodes stop answering; their clients are told of the loss.

use std::time::Duration;

use futures::executor::block_on;
use futures::future::join_all;
use redlock::Instant;

use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "told-late",
    about: "a holder is told that its lock is lost when its time is over, and has none left to stop its work",
    source: "DistributedLock (seconds late); RedLock.net #92, Redisson #4698 (never)",
    nodes: 3,
    ttl: Duration::from_secs(1),
    needs: &[ActionKind::Pause, ActionKind::Resume],
    kills: &["lost_ahead"],
    play: Play::OnFleet(play),
};

/// On a busy machine some are told late for want of the CPU, and not all of them.
const LOCKS: usize = 30;

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    let mut guards = Vec::new();
    for number in 0..LOCKS {
        guards.push(block_on(locks.lock(format!("a-{number}")).acquire())?);
    }
    scene.act_on(0..scene.nodes(), Action::Pause)?;
    let told = block_on(join_all(guards.iter().map(|guard| async move {
        guard.lost().await;
        Instant::now() < guard.valid_until()
    })));
    scene.act_on(0..scene.nodes(), Action::Resume)?;
    let in_time = told.into_iter().filter(|&in_time| in_time).count();
    Ok(Finding::bad_if(in_time == 0, format!("none of {LOCKS} losses was told before its time was over")))
}
