//! What an operator does who changes the node set.

use futures::executor::block_on;
use redlock::{NodeChange, NodeSetChange, NodeSetError};

use super::scene::patiently;
use super::{Scene, SceneError};
use crate::fleet::Action;
use crate::support::LIMIT;

/// Over whose ways.
pub(super) const OPERATOR: usize = 2;

/// Has these nodes be set 0, and the others be servers that nobody has used yet.
pub(super) fn begun(scene: &Scene, list: &[usize]) -> Result<(), SceneError> {
    scene.act_on((0..scene.nodes()).filter(|node| !list.contains(node)), Action::Flush)?;
    let first = scene.builder_of(OPERATOR, list, 0)?;
    drop(patiently(|| block_on(first.clone().init()))?);
    Ok(())
}

/// Prepares to remove a node from this list, which has this number.
pub(super) fn removed(
    scene: &Scene,
    list: &[usize],
    number: u64,
    node: usize,
) -> Result<NodeSetChange, SceneError> {
    change(scene, list, number, NodeChange::Remove(url(scene, node)?))
}

/// Prepares to add a node to this list, which has this number.
pub(super) fn added(
    scene: &Scene,
    list: &[usize],
    number: u64,
    node: usize,
) -> Result<NodeSetChange, SceneError> {
    change(scene, list, number, NodeChange::Add(url(scene, node)?))
}

fn url(scene: &Scene, node: usize) -> Result<String, SceneError> {
    let url = scene.urls(OPERATOR).into_iter().nth(node);
    url.ok_or_else(|| SceneError::Unexpected(format!("there is no node {node}")))
}

fn change(
    scene: &Scene,
    list: &[usize],
    number: u64,
    change: NodeChange,
) -> Result<NodeSetChange, SceneError> {
    block_on(scene.builder_of(OPERATOR, list, number)?.change_nodes(change)).map_err(refused)
}

/// Repeats a step until it is done: on a machine that is overloaded nodes may not answer in time.
pub(super) fn step(
    scene: &Scene,
    mut call: impl FnMut() -> Result<(), NodeSetError>,
) -> Result<(), SceneError> {
    scene.eventually("a step of the change is done", || match call() {
        Ok(()) => Ok(true),
        Err(NodeSetError::TooFew { .. } | NodeSetError::NotOpen) => Ok(false),
        Err(error) => Err(refused(error)),
    })
}

fn refused(error: NodeSetError) -> SceneError {
    SceneError::Unexpected(format!("a change of the node set within {LIMIT:?}: {error}"))
}
