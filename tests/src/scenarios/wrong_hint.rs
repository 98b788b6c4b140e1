//! A client believes that the nodes are an hour ahead of where they are.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::node::{AcquireRequest, Fence, ReleaseRequest, Reply};
use redlock::{Instant, LockName, OwnerToken, Ttl};

use super::scene::{HOUR_OF_TOKENS, NAME};
use super::{Finding, Play, Scenario, Scene, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "wrong-hint",
    about: "one client with a wrong clock pushes the fencing tokens an hour ahead, and so on up to the last one",
    source: "our own randomized checker",
    nodes: 3,
    ttl: Duration::from_secs(2),
    needs: &[],
    kills: &["fence_clamp"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (wrong, other) = (scene.locks(0)?, scene.locks(1)?);
    let name = || LockName::new(NAME).map_err(|error| SceneError::Unexpected(error.to_string()));
    let ttl = Ttl::new(scene.ttl()).map_err(|error| SceneError::Unexpected(error.to_string()))?;
    let owner = OwnerToken::from_bytes([9; OwnerToken::BYTES]);
    let hint = scene.time(0)? + HOUR_OF_TOKENS;
    for node in wrong.nodes() {
        let soon = Instant::now().saturating_add(Duration::from_secs(10));
        let mut request = AcquireRequest::new(name()?, owner, ttl, soon);
        request.fence = Some(Fence::new(hint, 1, Duration::from_secs(600)));
        let reply = block_on(Arc::clone(node).acquire(request))?;
        if !matches!(reply, Reply::Granted(_)) {
            return Err(SceneError::Unexpected(format!("a free node says {reply:?}")));
        }
        block_on(Arc::clone(node).release(ReleaseRequest::new(name()?, owner, None)))?;
    }
    let (token, now) = (scene.token(&other)?, scene.time(0)?);
    let ahead = Duration::from_micros(token.saturating_sub(now));
    Ok(Finding::bad_if(
        token > now + HOUR_OF_TOKENS / 2,
        format!("the next token is {ahead:.0?} ahead of the nodes' time"),
    ))
}
