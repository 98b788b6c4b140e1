//! What is special about files: they are still there when the process that has a lock is gone.

use std::time::Duration;

use futures::executor::block_on;

use super::process::Process;
use super::scene::token_of;
use super::{Finding, Play, Scenario, Scene, SceneError, paused_client};
use crate::support::LIMIT;
use crate::worker::{Habit, name_of};

pub(super) const KILLED: Scenario = Scenario {
    name: "file-killed-holder",
    about: "a process is killed, and its lock file keeps everybody out for ever, or nobody until the time that it was promised",
    source: "lock files of every kind: whoever finds one has to guess whether its writer lives",
    nodes: 1,
    ttl: Duration::from_secs(2),
    needs: &[],
    kills: &[],
    play: Play::On("file", killed),
};

pub(super) const STOPPED: Scenario = Scenario {
    name: "file-stopped-holder",
    nodes: 1,
    play: Play::On("file", paused_client::play),
    ..paused_client::SCENARIO
};

fn killed(scene: &Scene) -> Result<Finding, SceneError> {
    let other = scene.locks(1)?;
    // It holds its lock for two TTLs.
    let (token, promised) = Process::start(scene, Habit::Careless)?.kill()?;
    let next = block_on(other.lock(name_of(0)).wait_at_most(LIMIT).acquire());
    let acquired = redlock::Instant::now().as_nanos();
    Ok(match next {
        Err(error) => Finding::Bad(format!("nobody gets the lock of a process that was killed: {error}")),
        Ok(_) if acquired < promised => Finding::Bad(
            "somebody gets a lock before the end of what a process was promised that was killed".to_owned(),
        ),
        Ok(next) => Finding::bad_if(
            Some(token_of(&next)?) <= token,
            "the fencing token of the next holder is not greater than that of the one that was killed",
        ),
    })
}
