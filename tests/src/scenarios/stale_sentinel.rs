//! One of three sentinels does not know of a failover, and is the first to answer.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{Either, select};
use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::node::{Node, NodeError};
use redlock::testing::real_env;
use redlock::testing::servers::{RedisSentinels, RedisServer, ServerError};
use redlock::{Instant, Protections};

use super::{Finding, Play, Scenario, SceneError};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stale-sentinel",
    about: "a client asks one sentinel, which has missed a failover, and locks at a master that nobody else uses",
    source: "clients of Sentinel that take the first answer; Redis' guidelines for clients of Sentinel",
    nodes: 3,
    ttl: Duration::from_secs(1),
    needs: &[],
    kills: &["sentinel_majority"],
    play: Play::OnItsOwn(play),
};

/// How long a client may take to be misled, when it can be.
const PATIENCE: Duration = Duration::from_secs(1);

fn play(protections: Protections) -> Result<Finding, SceneError> {
    let sentinels = RedisSentinels::start()?;
    let stale = RedisServer::start()?;
    let name = RedisSentinels::MASTER_NAME;
    let (misled, port) = (sentinels.sentinel(0), stale.port().to_string());
    misled.command(&["SENTINEL", "REMOVE", name])?;
    misled.command(&["SENTINEL", "MONITOR", name, "127.0.0.1", &port, "2"])?;
    let others = [1, 2].map(|index| sentinels.sentinel(index));
    others.iter().try_for_each(|sentinel| sentinel.pause())?;

    let env = real_env().map_err(SceneError::Threads)?;
    let config = RedisConfig::sentinel(name, sentinels.sentinel_addresses())
        .map_err(|error| SceneError::Unexpected(error.to_string()))?
        .connect_timeout(Duration::from_secs(3));
    let node: Arc<dyn Node> = RedisNode::start(config, Arc::clone(&env), protections)
        .map_err(|error| SceneError::Unexpected(error.to_string()))?;
    let patience = env.sleep_until(Instant::now().saturating_add(PATIENCE));
    let early = block_on(async {
        match select(Arc::clone(&node).probe(), patience).await {
            Either::Left((Ok(identity), _)) => identity.instance,
            _ => None,
        }
    });
    others.iter().try_for_each(|sentinel| sentinel.resume())?;
    let followed = match early {
        Some(followed) => followed,
        None => instance(&node)?,
    };
    if followed == run_id(sentinels.server(0))? {
        return Ok(Finding::Good);
    }
    Ok(Finding::bad_if(
        followed == run_id(&stale)?,
        "a client locks at a master that one of three sentinels alone names",
    ))
}

/// Whom it follows in the end.
fn instance(node: &Arc<dyn Node>) -> Result<String, NodeError> {
    let started = std::time::Instant::now();
    loop {
        match block_on(Arc::clone(node).probe()) {
            Ok(identity) => return Ok(identity.instance.unwrap_or_default()),
            Err(error) if started.elapsed() > crate::support::LIMIT => return Err(error),
            Err(_) => {}
        }
    }
}

fn run_id(server: &RedisServer) -> Result<String, ServerError> {
    let info = server.command(&["INFO", "server"])?;
    let lines = info.text().unwrap_or_default().lines();
    Ok(lines.filter_map(|line| line.strip_prefix("run_id:")).map(|id| id.trim().to_owned()).collect())
}
