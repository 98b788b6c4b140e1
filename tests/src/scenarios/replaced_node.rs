//! A node is replaced while its lock is held and others want it; one client is not restarted.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::AcquireError;
use redlock::node::{Node, Standing};

use super::node_sets::{OPERATOR, added, begun, removed, step};
use super::scene::{NAME, built};
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::ActionKind;
use crate::network::Direction;
use crate::support::LIMIT;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "replaced-node",
    about: "a node is replaced by another one, and a client with the list of before gets what one with the new list holds",
    source: "design, section 4 (majorities of lists that differ by a swap need not meet)",
    nodes: 4,
    ttl: Duration::from_secs(2),
    needs: &[ActionKind::Flush],
    kills: &["node_set_epoch"],
    play: Play::OnFleet(play),
};

pub(super) const ON_MEMCACHED: Scenario =
    Scenario { name: "memcached-replaced-node", play: Play::On("memcached", play), ..SCENARIO };

/// The lists, one after the other.
const LISTS: [&[usize]; 3] = [&[0, 1, 2], &[1, 2], &[1, 2, 3]];

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    begun(scene, LISTS[0])?;
    let old = built(scene.builder_of(0, LISTS[0], 0)?)?;
    // The operator does not reach the node that is removed.
    scene.way(OPERATOR, 0).cut(Direction::Both);

    let held = scene.acquire(&old)?;
    let removal = removed(scene, LISTS[0], 0, 0)?;
    step(scene, || block_on(removal.open()))?;
    let next = built(scene.builder_of(1, LISTS[1], 1)?)?;
    let until = held.valid_until();
    scene.eventually("a holder with the old list renews", || {
        Ok(held.valid_until() > until || !held.is_valid())
    })?;
    if !held.is_valid() {
        return Ok(Finding::Bad("a holder has lost its lock when the change began".to_owned()));
    }
    if scene.take(&next).is_some() && held.is_valid() {
        return Ok(Finding::Bad("a client of either list holds the lock while the set changes".to_owned()));
    }
    block_on(held.release())?;
    // Contended: now the client with the new list gets it, and keeps it until the change has ended.
    let held = scene.acquire(&next)?;
    step(scene, || block_on(removal.finish()))?;
    if !held.is_valid() {
        return Ok(Finding::Bad(
            "a holder with the new list has lost its lock when the change ended".to_owned(),
        ));
    }
    block_on(held.release())?;

    let addition = added(scene, LISTS[1], 1, 3)?;
    step(scene, || block_on(addition.open()))?;
    let new = built(scene.builder_of(1, LISTS[2], 2)?)?;
    step(scene, || block_on(addition.finish()))?;
    scene.eventually("all nodes are in order", || Ok(new.nodes().iter().all(|node| is_admitted(&**node))))?;

    // The old list has a majority without the new one's.
    scene.way(0, 2).cut(Direction::Both);
    scene.way(1, 1).cut(Direction::Both);
    let news = scene.acquire(&new)?;
    // Without the safeguard it takes the old client a moment to judge the markers that the change has left.
    let mut olds = scene.take(&old);
    let begun = Instant::now();
    while olds.is_none() && !scene.protections().node_set_epoch && begun.elapsed() < LIMIT / 6 {
        olds = scene.take(&old);
    }
    let both = news.is_valid() && olds.as_ref().is_some_and(|olds| olds.is_valid());
    if both {
        return Ok(Finding::Bad("clients of the old and of the new list hold the lock".to_owned()));
    }
    drop(olds);
    scene.eventually("the client with the old list is told", || {
        let told = block_on(old.lock(NAME).try_acquire());
        Ok(matches!(told, Err(AcquireError::NodeSetChanged { ours: 0, .. }))
            || !scene.protections().node_set_epoch)
    })?;
    Ok(Finding::Good)
}

fn is_admitted(node: &dyn Node) -> bool {
    matches!(node.standing(), Standing::Marked(marker) if marker.floor.is_some())
}
