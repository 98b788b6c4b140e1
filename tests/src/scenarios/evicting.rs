//! The memory of the nodes is full, and their policy is to evict keys.

use std::time::Duration;

use redlock::BuildError;

use super::scene::built;
use super::two::gets_in;
use super::{Finding, Play, Scenario, Scene, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "evicting-nodes",
    about: "nodes that evict keys when their memory is full hand out a lock that somebody holds",
    source: "Redis' documentation of maxmemory-policy; locks in a Redis that is a cache",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["preflight"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let set = |name: &str, value: &str| {
        (0..scene.nodes()).try_for_each(|node| scene.command(node, &["CONFIG", "SET", name, value]).map(drop))
    };
    set("maxmemory-policy", "volatile-ttl")?;
    set("maxmemory", "1gb")?;
    let locks = match built(scene.builder(0)?) {
        Err(BuildError::Preflight { .. }) => return Ok(Finding::Good),
        locks => locks?,
    };
    let other = scene.locks(1)?;
    let guard = scene.hold(&locks)?;
    set("maxmemory", "1")?;
    scene.eventually("the memory is full", || Ok(scene.with_lock()? == 0))?;
    set("maxmemory", "1gb")?;
    Ok(gets_in(&guard, &other))
}
