//! An acquire arrives twice.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::LockName;
use redlock::testing::faulty::{Fault, Op};

use super::scene::{NAME, arrivals, token_of};
use super::{Finding, Play, Scenario, Scene, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "twice",
    about: "a request that arrives twice is taken for two, and counts the fencing counter up beyond what its holder knows",
    source: "our own randomized checker; clients that repeat requests by themselves",
    nodes: 3,
    ttl: Duration::from_secs(3),
    needs: &[],
    kills: &["fence_once"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, links) = scene.locks_over_links(0)?;
    for link in &links {
        link.set_for(Op::Acquire, Fault::duplicate(Duration::from_millis(5)));
    }
    let guard = scene.hold(&locks)?;
    scene.eventually("the request has arrived twice", || {
        Ok(links.iter().all(|link| arrivals(link, Op::Acquire).len() >= 2))
    })?;
    let token = token_of(&guard)?;
    let mut highest = 0;
    for node in locks.nodes() {
        let name = LockName::new(NAME).map_err(|error| SceneError::Unexpected(error.to_string()))?;
        let seen = block_on(Arc::clone(node).inspect(name))?;
        highest = highest.max(seen.counter.unwrap_or(0));
    }
    Ok(Finding::bad_if(
        highest > token,
        format!("the holder has {token}, and a node has counted to {highest}"),
    ))
}
