//! Two clients reach two nodes each, of four.

use std::time::Duration;

use futures::executor::block_on;
use futures::future::join;
use redlock::Locks;

use super::scene::NAME;
use super::{Finding, Play, Scenario, Scene, SceneError, by_itself};
use crate::network::Direction;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "even-split",
    about: "with two of four nodes each, two clients hang for ever, or both believe that half of the nodes is enough",
    source: "node-redlock (hangs for ever)",
    nodes: 4,
    ttl: Duration::from_secs(3),
    needs: &[],
    kills: &[],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let clients = [scene.locks(0)?, scene.locks(1)?];
    for (client, nodes) in [(0, [2, 3]), (1, [0, 1])] {
        nodes.into_iter().for_each(|node| scene.way(client, node).cut(Direction::Both));
    }
    let locks = clients.clone();
    let both = by_itself(scene, move || {
        let [one, other] = locks.map(|locks| locks.lock(NAME));
        block_on(join(one.try_acquire(), other.try_acquire()))
    })?;
    match both {
        None => return Ok(Finding::Bad("a client never learns that it has too few nodes".to_owned())),
        Some((Ok(Some(_)), _) | (_, Ok(Some(_)))) => {
            return Ok(Finding::Bad("a client holds a lock with half of the nodes".to_owned()));
        }
        Some(_) => {}
    }
    scene.mend(0)?;
    scene.mend(1)?;
    let acquire = |locks: &Locks| block_on(scene.acquire(locks)?.release()).map_err(SceneError::from);
    clients.iter().try_for_each(acquire)?;
    Ok(Finding::Good)
}
