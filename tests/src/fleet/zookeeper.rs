//! Nodes that are the members of one ZooKeeper ensemble on loopback.

use std::time::{Duration, Instant};

use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::{ZooKeeperEnsemble, ZooKeeperMember};

use super::{Action, ActionKind, Fleet, FleetError, Servers, members, text};
use crate::network::Protocol;

/// How long the members may take to choose a leader.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A ZooKeeper ensemble of this machine's own program. A member that was killed comes back with its data.
#[derive(Debug)]
pub struct ZooKeeperFleet {
    ensemble: ZooKeeperEnsemble,
    program: String,
}

impl ZooKeeperFleet {
    /// Starts an ensemble of so many members, 1 or 3.
    ///
    /// # Errors
    /// [`FleetError::Failed`] says what is missing: the program, or the end of a member's log.
    pub fn start(members: usize) -> Result<Self, FleetError> {
        if !matches!(members, 1 | 3) {
            return Err(text::not_done("the members", "expected --nodes 1 or --nodes 3"));
        }
        let failed = |error| text::failed("the members", error);
        let ensemble = ZooKeeperEnsemble::start(members).map_err(failed)?;
        let about = ensemble.member(0).word("srvr").map_err(failed)?;
        let version =
            about.lines().find_map(|line| line.strip_prefix("Zookeeper version: ")?.split('-').next());
        let program = format!("zookeeper {}", version.unwrap_or("unknown"));
        Ok(Self { ensemble, program })
    }

    fn members(&self) -> Vec<&ZooKeeperMember> {
        (0..self.ensemble.len()).map(|index| self.ensemble.member(index)).collect()
    }
}

impl Fleet for ZooKeeperFleet {
    fn kind(&self) -> &'static str {
        "zookeeper"
    }

    fn server(&self) -> String {
        self.program.clone()
    }

    fn servers(&self) -> Servers {
        Servers::Members
    }

    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Bytes)
    }

    fn addresses(&self) -> Vec<String> {
        self.ensemble.addresses()
    }

    fn config(&self, reached_at: &[String]) -> String {
        // What the members' ticks make of it: 200 ms x (5 + 1/2).
        text::table("zookeeper", "addrs", reached_at, RedisConfig::DEFAULT_PREFIX)
            + "touchDelay = \"1100ms\"\n"
    }

    fn actions(&self) -> Vec<ActionKind> {
        members::actions()
    }

    fn act(&self, node: usize, action: Action) -> Result<(), FleetError> {
        members::act(self, &self.members(), node, action)
    }

    /// Those of the ensemble, which are the same on every member: the first one has them. Locks end with their clients' sessions, the
    /// library's own znodes do not.
    fn lock_keys(&self, node: usize, prefix: &str) -> Result<Vec<String>, FleetError> {
        if node > 0 {
            return Ok(Vec::new());
        }
        let mut paths = self.ensemble.ephemerals().map_err(|error| text::failed("the members", error))?;
        // What is ephemeral besides is a waiter's or a session's.
        paths.retain(|path| path.starts_with(&format!("/{prefix}/")) && path.ends_with("/lock"));
        Ok(paths)
    }

    fn leader(&self) -> Result<usize, FleetError> {
        let started = Instant::now();
        loop {
            match self.ensemble.leader() {
                Some(leader) => return Ok(leader),
                None if started.elapsed() > LIMIT => {
                    return Err(text::not_done("the members", "they have no leader"));
                }
                None => std::thread::sleep(POLL),
            }
        }
    }
}
