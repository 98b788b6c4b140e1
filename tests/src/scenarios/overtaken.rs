//! Connections break while an acquire is under way, and its release arrives first.

use std::time::Duration;

use futures::FutureExt as _;
use futures::executor::block_on;
use redlock::testing::faulty::{Fault, Op};

use super::scene::{NAME, arrivals};
use super::{Finding, Play, Scenario, Scene, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "overtaken",
    about: "a release overtakes its acquire on another connection, and the lock that comes late stays",
    source: "redsync and pottery (pools of connections: DEL ahead of SET)",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["release_unknown"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, links) = scene.locks_over_links(0)?;
    for link in &links {
        link.set_for(Op::Acquire, Fault::delay(Duration::from_millis(150), Duration::ZERO));
    }
    let lock = locks.lock(NAME);
    let mut acquiring = Box::pin(lock.try_acquire());
    // It is sent when it is polled first.
    let asked = (&mut acquiring).now_or_never();
    links.iter().for_each(|link| link.break_connection());
    let result = asked.unwrap_or_else(|| block_on(acquiring));
    if let Ok(Some(_)) = result {
        return Err(SceneError::Unexpected("a broken connection has brought a lock".to_owned()));
    }
    scene.eventually("the acquire has arrived everywhere", || {
        Ok(links.iter().all(|link| !arrivals(link, Op::Acquire).is_empty()))
    })?;
    scene.leaves_nothing(&locks)
}
