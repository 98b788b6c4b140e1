//! Nodes that are the members of one ZooKeeper ensemble on loopback.

use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::ZooKeeperEnsemble;

use super::{Action, ActionKind, Fleet, FleetError, Servers, text};
use crate::network::Protocol;

/// A ZooKeeper ensemble of this machine's own program. A member that was killed comes back with its data.
#[derive(Debug)]
pub struct ZooKeeperFleet {
    ensemble: ZooKeeperEnsemble,
}
