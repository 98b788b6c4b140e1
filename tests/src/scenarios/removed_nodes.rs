//! The first two of three nodes are removed, one after the other. A client of the first list does not reach the third.

use std::time::Duration;

use futures::executor::block_on;
use redlock::Locks;

use super::minority_token::rises;
use super::node_sets::{begun, removed, step};
use super::scene::built;
use super::two::gets_in;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::ActionKind;
use crate::network::Direction;

pub(super) const HELD: Scenario = Scenario {
    name: "removed-holders",
    about: "two nodes are removed, the second as soon as the first is out, and what they granted is granted again",
    source: "design, section 4 (install the new set, wait for the longest TTL, then the next step)",
    nodes: 3,
    ttl: Duration::from_secs(6),
    needs: &[ActionKind::Flush],
    kills: &["node_set_wait"],
    play: Play::OnFleet(held),
};

pub(super) const TOKENS: Scenario = Scenario {
    name: "removed-tokens",
    about: "two nodes are removed with the counters that only they store, and the next holder has a token that was given before",
    source: "Kleppmann 2016 (fencing needs a counter that does not go back)",
    ttl: Duration::from_millis(800),
    kills: &["node_set_floor"],
    play: Play::OnFleet(tokens),
    ..HELD
};

const ALL: &[usize] = &[0, 1, 2];
const TWO: &[usize] = &[1, 2];
const LAST: &[usize] = &[2];

fn client_of_all(scene: &Scene) -> Result<Locks, SceneError> {
    begun(scene, ALL)?;
    let old = built(scene.builder_of(0, ALL, 0)?)?;
    scene.way(0, 2).cut(Direction::Both);
    Ok(old)
}

fn held(scene: &Scene) -> Result<Finding, SceneError> {
    let old = client_of_all(scene)?;
    let first = removed(scene, ALL, 0, 0)?;
    step(scene, || block_on(first.open()))?;
    let held = scene.hold(&old)?;
    step(scene, || block_on(first.finish()))?;
    if !held.is_valid() && !scene.protections().node_set_wait {
        return Err(SceneError::TooSlow("the first node was removed"));
    }
    let second = removed(scene, TWO, 1, 1)?;
    step(scene, || block_on(second.open()))?;
    let new = built(scene.builder_of(1, LAST, 2)?)?;
    let found = gets_in(&held, &new);
    if found.is_good() {
        block_on(scene.acquire(&new)?.release())?;
        step(scene, || block_on(second.finish()))?;
    }
    Ok(found)
}

fn tokens(scene: &Scene) -> Result<Finding, SceneError> {
    let old = client_of_all(scene)?;
    (0..2).try_for_each(|node| scene.count_ahead(node))?;
    let token = scene.token(&old)?;
    for (list, number) in [(ALL, 0), (TWO, 1)] {
        let removal = removed(scene, list, number, list[0])?;
        step(scene, || block_on(removal.open()))?;
        step(scene, || block_on(removal.finish()))?;
    }
    rises(token, scene.token(&built(scene.builder_of(1, LAST, 2)?)?)?)
}
