//! Two of three addresses lead to one server.

use std::time::Duration;

use redlock::BuildError;

use super::scene::built;
use super::{Finding, Play, Scenario, Scene, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "two-addresses",
    about: "two addresses of one server count as two nodes, and its crash alone loses every lock",
    source: "an alias in DNS, a proxy or a virtual address in the list of nodes",
    nodes: 3,
    ttl: Duration::from_secs(3),
    needs: &[],
    kills: &[],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    // Who reaches the first server as the second one is let in there.
    let (config, second) = (scene.config(0), scene.way(0, 1).reached_at());
    let login = config.split_once(&format!("@{second}")).map_or("", |(before, _)| before);
    let password = login.rsplit_once(':').map_or("", |(_, password)| password);
    scene.command(0, &["ACL", "SETUSER", "locker", &format!(">{password}")])?;
    scene.lead(0, 1, 0);
    match built(scene.builder(0)?) {
        Err(BuildError::SameServer { .. }) => Ok(Finding::Good),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(Finding::Bad("two addresses of one server count as two nodes".to_owned())),
    }
}
