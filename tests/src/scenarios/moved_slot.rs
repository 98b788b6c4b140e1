//! A master of a Cluster stands still with a request in its queue, and another one takes its slot.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant as Time};

use futures::FutureExt as _;
use futures::executor::block_on;
use redlock::backend::redis::{RedisClusterNode, RedisConfig};
use redlock::node::{AcquireRequest, Node, ReleaseRequest};
use redlock::testing::real_env;
use redlock::testing::servers::RedisCluster;
use redlock::{Instant, LockName, OwnerToken, Protections, Ttl};

use super::{Finding, Play, Scenario, SceneError};
use crate::support::LIMIT;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "moved-slot",
    about: "a client takes a release at a Cluster's new master for the end of a request that the old one may still run",
    source: "our own review; clients of Cluster that repeat commands elsewhere",
    nodes: 3,
    ttl: Duration::from_secs(60),
    needs: &[],
    kills: &["settle_everywhere"],
    play: Play::OnItsOwn(play),
};

fn play(protections: Protections) -> Result<Finding, SceneError> {
    let unexpected = |error: &dyn std::fmt::Display| SceneError::Unexpected(error.to_string());
    let cluster = RedisCluster::start(3)?;
    let config = RedisConfig::cluster(cluster.addresses()).map_err(|error| unexpected(&error))?;
    let env = real_env().map_err(SceneError::Threads)?;
    let node: Arc<dyn Node> =
        RedisClusterNode::start(config.connect_timeout(Duration::from_secs(3)), env, protections)
            .map_err(|error| unexpected(&error))?;
    block_on(Arc::clone(&node).probe())?;
    let name = name_of_the_first(&cluster)?;
    let slot = cluster.slot(&format!("redlock:{name}"))?;
    cluster.begin_migration(slot, 0, 1)?;

    let name = LockName::new(name).map_err(|error| unexpected(&error))?;
    let owner = OwnerToken::from_bytes([1; OwnerToken::BYTES]);
    let ttl = Ttl::new(SCENARIO.ttl).map_err(|error| unexpected(&error))?;
    let deadline = Instant::now().saturating_add(SCENARIO.ttl);
    cluster.master(0).pause()?;
    let mut reply = Arc::clone(&node).acquire(AcquireRequest::new(name.clone(), owner, ttl, deadline));
    if (&mut reply).now_or_never().is_some() {
        return Err(SceneError::Unexpected("a master that stands still has answered".to_owned()));
    }
    let myself = cluster.master(1).command(&["CLUSTER", "MYID"])?;
    let myself = myself.text().unwrap_or_default();
    cluster.master(1).command(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", myself])?;

    let started = Time::now();
    loop {
        let request = ReleaseRequest::new(name.clone(), owner, Some(deadline));
        match block_on(Arc::clone(&node).release(request)) {
            Ok(released) => {
                return Ok(Finding::bad_if(
                    released.settled,
                    "a request is taken for settled that a master may still run",
                ));
            }
            Err(error) if started.elapsed() > LIMIT => return Err(error.into()),
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// A name whose key the first master keeps.
fn name_of_the_first(cluster: &RedisCluster) -> Result<String, SceneError> {
    for number in 0..64 {
        let name = format!("name-{number}");
        if cluster.home(&format!("redlock:{name}"))? == 0 {
            return Ok(name);
        }
    }
    Err(SceneError::Unexpected("no name belongs to the first master".to_owned()))
}
