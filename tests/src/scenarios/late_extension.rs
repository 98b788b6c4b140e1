//! The replies to an extension come when the validity of the lock has ended.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::real_env;

use super::late::LateEnv;
use super::scene::built;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::network::{Direction, Way};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "late-extension",
    about: "a lock that everybody was told is lost is believed again when the replies to its renewal come late",
    source: "pottery (an extension skips the check of the validity)",
    nodes: 3,
    ttl: Duration::from_millis(900),
    needs: &[],
    kills: &["extend_in_time"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let env = LateEnv::new(real_env().map_err(SceneError::Threads)?);
    let locks = built(scene.builder(0)?.env(env.clone()))?;
    // Neither a renewal of its own nor the alarm of its end comes in time.
    env.be_late(true);
    let guard = scene.acquire(&locks)?;
    // A connection that says nothing for a second is given up.
    scene.eventually("it is time to extend", || Ok(guard.remaining() < scene.ttl() / 2))?;
    scene.cut(0, Direction::Replies);
    let end = guard.valid_until();
    let revived = thread::scope(|scope| {
        let extending = scope.spawn(|| block_on(guard.extend()));
        let over = scene.eventually("the validity has ended", || Ok(!guard.is_valid()));
        scene.ways(0).for_each(Way::mend);
        let extended = extending.join();
        over?;
        match extended {
            Ok(extended) => Ok(extended.is_ok() || guard.is_valid()),
            Err(_) => Err(SceneError::Unexpected("a client has panicked".to_owned())),
        }
    })?;
    let by = guard.valid_until().saturating_since(end);
    Ok(Finding::bad_if(revived, format!("a lock that was over goes on for {by:.0?}")))
}
