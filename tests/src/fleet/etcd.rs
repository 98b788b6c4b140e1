//! Nodes that are the members of one etcd ensemble on loopback.

use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::{EtcdEnsemble, EtcdMember};

use super::{Action, ActionKind, Fleet, FleetError, Servers, members, text};
use crate::network::Protocol;

/// An etcd ensemble of this machine's own program. A member that was killed comes back with its data.
#[derive(Debug)]
pub struct EtcdFleet {
    ensemble: EtcdEnsemble,
    program: String,
}

impl EtcdFleet {
    /// Starts an ensemble of so many members.
    ///
    /// # Errors
    /// [`FleetError::Failed`] says what is missing: the program, or the end of a member's log.
    pub fn start(members: usize) -> Result<Self, FleetError> {
        if cfg!(not(feature = "etcd")) {
            return Err(FleetError::NotBuilt { feature: "etcd", hint: ", which needs `protoc`" });
        }
        if members == 0 {
            return Err(text::not_done("the members", "there are none; expected one at least"));
        }
        let failed = |error| text::failed("the members", error);
        let ensemble = EtcdEnsemble::start(members).map_err(failed)?;
        let status = ensemble.ask("maintenance/status", "{}").map_err(failed)?;
        let version = status.split_once("\"version\":\"").and_then(|(_, rest)| rest.split('"').next());
        let program = format!("etcd {}", version.unwrap_or("unknown"));
        Ok(Self { ensemble, program })
    }

    fn members(&self) -> Vec<&EtcdMember> {
        self.ensemble.iter().collect()
    }
}

impl Fleet for EtcdFleet {
    fn kind(&self) -> &'static str {
        "etcd"
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
        text::table("etcd", "addrs", reached_at, RedisConfig::DEFAULT_PREFIX)
    }

    fn actions(&self) -> Vec<ActionKind> {
        members::actions()
    }

    fn act(&self, node: usize, action: Action) -> Result<(), FleetError> {
        members::act(self, &self.members(), node, action)
    }

    /// Those of the ensemble, which are the same on every member: the first one has them.
    fn lock_keys(&self, node: usize, prefix: &str) -> Result<Vec<String>, FleetError> {
        if node > 0 {
            return Ok(Vec::new());
        }
        let mut keys = self.ensemble.keys().map_err(|error| text::failed("the members", error))?;
        keys.retain(|key| text::is_lock_key(key, prefix));
        Ok(keys)
    }

    /// Revokes their leases.
    fn end_locks(&self) -> Result<(), FleetError> {
        let failed = |error| text::failed("the members", error);
        for lease in self.ensemble.lock_leases().map_err(failed)? {
            self.ensemble.revoke(lease).map_err(failed)?;
        }
        Ok(())
    }

    fn leader(&self) -> Result<usize, FleetError> {
        self.ensemble.leader().map_err(|error| text::failed("the members", error))
    }
}
