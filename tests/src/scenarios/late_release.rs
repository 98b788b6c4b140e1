//! A release is held up until its lock has expired and another client holds it.

use std::time::Duration;

use futures::executor::block_on;

use super::scene::NAME;
use super::two::both_hold;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::network::Direction;
use crate::support::LIMIT;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "late-release",
    about: "the late release of one holder deletes the lock of the next, and a third one gets in",
    source: "Redis' own page (compare and delete); due, whose token is the locker's",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["release_owner_check"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, second, third) = (scene.locks(0)?, scene.locks(1)?, scene.locks(2)?);
    let short = locks.lock(NAME).ttl(Duration::from_millis(700)).wait_at_most(LIMIT);
    let guard = block_on(short.acquire())?;
    scene.cut(0, Direction::Requests);
    drop(guard);
    scene.eventually("the releases are on their way", || Ok(scene.ways(0).all(|way| way.waiting() > 0)))?;
    let guard = scene.hold(&second)?;
    let run = |scene: &Scene| {
        (0..scene.nodes()).map(|node| scene.requests_run(node)).collect::<Result<Vec<_>, _>>()
    };
    let before = run(scene)?;
    scene.mend(0)?;
    scene.eventually("the releases have arrived", || {
        Ok(run(scene)?.iter().zip(&before).all(|(now, before)| now > before))
    })?;
    let rival = scene.take(&third);
    Ok(rival.map_or(Finding::Good, |rival| both_hold(&guard, &rival)))
}
