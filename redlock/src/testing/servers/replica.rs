//! A replica beside a server, and how it takes that server's place.

use std::sync::atomic::Ordering;

use super::error::eventually;
use super::sentinel::field;
use super::{RedisServer, ServerError};

impl RedisServer {
    /// Starts a replica of this server beside it, with the same options on a free port, the same password of the lock user,
    /// and the same reading of its clock, and waits until it has all data and, where it is persistent, has written it.
    ///
    /// The server must not ask for a password. `repl-diskless-sync-delay 0` in its options saves a wait of 5 s.
    ///
    /// # Errors
    /// As [`RedisOptions::start`](super::RedisOptions::start) and [`command`](Self::command), or [`ServerError::Io`] if it does not get there in time.
    pub fn start_replica(&self) -> Result<Self, ServerError> {
        let mut options = self.options.clone();
        options.port = None;
        options.lock_password = Some(self.password.clone());
        let replica = options.start()?;
        if let (Some(copy), Some(clock)) = (&replica.clock, &self.clock) {
            copy.copy(clock).map_err(|error| replica.failed("set its clock", error))?;
        }
        // Not in its options: it must not follow anybody any more after a restart.
        replica.command(&["REPLICAOF", &self.options.host, &self.port().to_string()])?;
        eventually("it follows its master", &replica.address(), || {
            let is = |section: &str, name: &str, value: &str| {
                Ok::<_, ServerError>(field(&replica, section, name)?.as_deref() == Some(value))
            };
            Ok(is("replication", "master_link_status:", "up")?
                && is("persistence", "loading:", "0")?
                // The log of what it had before is replaced by one of what it was sent.
                && is("persistence", "aof_rewrite_in_progress:", "0")?
                && is("persistence", "aof_rewrite_scheduled:", "0")?)
        })?;
        Ok(replica)
    }

    /// Makes a replica a master: it follows nobody any more, and keeps what it has.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn promote(&self) -> Result<(), ServerError> {
        self.command(&["REPLICAOF", "NO", "ONE"]).map(drop)
    }

    /// Kills the other server and listens on its port from now on, also after restarts: the process goes on, so that
    /// clients of the other one find this one with its own `run_id`. Redis 7.0 or later.
    ///
    /// # Errors
    /// As [`command`](Self::command): Redis 6.2 cannot change its port.
    pub fn take_place_of(&self, other: &Self) -> Result<(), ServerError> {
        other.kill();
        let port = other.port();
        self.command(&["CONFIG", "SET", "port", &port.to_string()])?;
        self.port.store(port, Ordering::SeqCst);
        Ok(())
    }
}
