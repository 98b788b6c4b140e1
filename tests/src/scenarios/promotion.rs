//! A replica takes a node's place, to which the lock had not got.

use std::thread;
use std::time::Duration;

use super::two::gets_in;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};
use crate::network::Direction;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "promotion",
    about: "a replica that lags takes a node's place, and grants what its master had granted",
    source: "Redis' own page (asynchronous replication); Kleppmann 2016",
    nodes: 3,
    ttl: Duration::from_secs(5),
    needs: &[ActionKind::Promote],
    kills: &["quarantine"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    // The lock is on the first two nodes.
    scene.way(0, 2).cut(Direction::Both);
    thread::scope(|scope| {
        let promoting = scope.spawn(|| scene.act(0, Action::Promote));
        let replicas = || scene.info(0, "replication", "connected_slaves:");
        scene.eventually("a replica follows the node", || Ok(replicas()? > 0))?;
        scene.eventually("the replica follows it no more", || Ok(replicas()? == 0))?;
        let guard = scene.hold(&locks)?;
        match promoting.join() {
            Ok(promoted) => promoted?,
            Err(_) => return Err(SceneError::Unexpected("a promotion has panicked".to_owned())),
        }
        if !guard.is_valid() {
            return Err(SceneError::TooSlow("the replica had taken over"));
        }
        Ok(gets_in(&guard, &other))
    })
}
