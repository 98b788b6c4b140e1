//! A lock is extended by less than it still has.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::node::{AcquireRequest, ExtendRequest, Reply};
use redlock::{Instant, LockName, OwnerToken, Ttl};

use super::scene::NAME;
use super::{Finding, Play, Scenario, Scene, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "shortened",
    about: "an extension that asks for little, or comes late, ends a lock before the time that its holder was promised",
    source: "whoever extends by a plain PEXPIRE: redsync, node-redlock, RedLock.net",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["never_shorten"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let unexpected = |error: &dyn std::fmt::Display| SceneError::Unexpected(error.to_string());
    let name = || LockName::new(NAME).map_err(|error| unexpected(&error));
    let ttl = |of| Ttl::new(of).map_err(|error| unexpected(&error));
    let owner = OwnerToken::from_bytes([9; OwnerToken::BYTES]);
    let granted = |reply: Reply| match reply {
        Reply::Granted(_) => Ok(()),
        reply => Err(SceneError::Unexpected(format!("its owner is told {reply:?}"))),
    };
    let promised = Instant::now().saturating_add(scene.ttl());
    for node in locks.nodes() {
        let request = AcquireRequest::new(name()?, owner, ttl(scene.ttl())?, promised);
        granted(block_on(Arc::clone(node).acquire(request))?)?;
        let little = ttl(Duration::from_millis(200))?;
        granted(block_on(Arc::clone(node).extend(ExtendRequest::new(name()?, owner, little, promised)))?)?;
    }
    let rival = scene.acquire(&other)?;
    let early = promised.saturating_since(rival.acquired_at());
    Ok(Finding::bad_if(
        early > Duration::ZERO,
        format!("another client holds the lock {early:.0?} before the time that was promised"),
    ))
}
