use std::slice;

use super::error::eventually;
use super::sentinel::field;
use super::{RedisOptions, RedisServer, ServerError};

const SLOTS: u32 = 16_384;

/// A Redis Cluster: masters that share the slots evenly, in order, and a replica for the first of them if it was asked
/// for.
#[derive(Debug)]
pub struct RedisCluster {
    masters: Vec<RedisServer>,
    replica: Option<RedisServer>,
}

impl RedisCluster {
    /// Starts a Cluster of so many masters (three at least for failovers) and waits until it serves all slots.
    ///
    /// # Errors
    /// As [`RedisServer::start`], or [`ServerError::Io`] if they do not find each other in time.
    pub fn start(masters: usize) -> Result<Self, ServerError> {
        Self::start_with(masters, &RedisServer::options())
    }

    /// The same with further options for every server, which must not name a port.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(masters: usize, options: &RedisOptions) -> Result<Self, ServerError> {
        let options = member(options);
        let masters = (0..masters).map(|_| options.start()).collect::<Result<Vec<_>, _>>()?;
        let count = u32::try_from(masters.len()).unwrap_or(1);
        for (index, server) in (0..).zip(&masters) {
            let slots = (SLOTS * index / count..SLOTS * (index + 1) / count).map(|slot| slot.to_string());
            let command: Vec<String> =
                ["CLUSTER", "ADDSLOTS"].map(str::to_owned).into_iter().chain(slots).collect();
            server.command(&command.iter().map(String::as_str).collect::<Vec<_>>())?;
            server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
        }
        let cluster = Self { masters, replica: None };
        for server in &cluster.masters[1..] {
            cluster.meet(server)?;
        }
        cluster.wait_until_complete(cluster.masters.len())?;
        Ok(cluster)
    }

    /// The same, and a replica of the first master that takes its place when that dies.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with_replica(masters: usize) -> Result<Self, ServerError> {
        let mut cluster = Self::start(masters)?;
        let replica = member(&RedisServer::options()).start()?;
        cluster.meet(&replica)?;
        let id = cluster.id(0)?;
        eventually("it knows its master", &replica.address(), || {
            Ok(replica.command(&["CLUSTER", "REPLICATE", &id]).is_ok())
        })?;
        eventually("it follows its master", &replica.address(), || {
            Ok(field(&replica, "replication", "master_link_status:")?.as_deref() == Some("up"))
        })?;
        cluster.replica = Some(replica);
        cluster.wait_until_complete(masters + 1)?;
        Ok(cluster)
    }

    /// The masters' addresses, in order.
    pub fn addresses(&self) -> Vec<String> {
        self.masters.iter().map(RedisServer::address).collect()
    }

    /// The addresses of the masters' TLS ports, in order; none without TLS.
    pub fn tls_addresses(&self) -> Vec<String> {
        self.masters.iter().filter_map(RedisServer::tls_address).collect()
    }

    /// The servers that were masters at the beginning, in the order of their slots.
    pub fn masters(&self) -> slice::Iter<'_, RedisServer> {
        self.masters.iter()
    }

    /// The master at `index`, from 0.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn master(&self, index: usize) -> &RedisServer {
        &self.masters[index]
    }

    /// The replica, if one was asked for.
    pub fn replica(&self) -> Option<&RedisServer> {
        self.replica.as_ref()
    }

    /// The slot of a key, as a server computes it.
    ///
    /// # Errors
    /// As [`RedisServer::command`].
    pub fn slot(&self, key: &str) -> Result<u32, ServerError> {
        let slot = self.masters[0].command(&["CLUSTER", "KEYSLOT", key])?.integer();
        Ok(slot.and_then(|slot| u32::try_from(slot).ok()).unwrap_or(SLOTS))
    }

    /// The index of the master that had the key's slot at the beginning.
    ///
    /// # Errors
    /// As [`RedisServer::command`].
    pub fn home(&self, key: &str) -> Result<usize, ServerError> {
        let (slot, count) = (self.slot(key)?, u32::try_from(self.masters.len()).unwrap_or(1));
        let home = (0..count).find(|index| slot < SLOTS * (index + 1) / count);
        Ok(usize::try_from(home.unwrap_or(0)).unwrap_or(0))
    }

    /// Begins to migrate a slot: the old master sends clients on for keys that it does not have (ASK).
    ///
    /// # Errors
    /// As [`RedisServer::command`].
    pub fn begin_migration(&self, slot: u32, from: usize, to: usize) -> Result<(), ServerError> {
        let slot = slot.to_string();
        self.masters[to].command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.id(from)?])?;
        self.masters[from].command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.id(to)?]).map(drop)
    }

    /// Moves what is left in the slot, and ends a migration that was begun: the old master sends clients on for all (MOVED).
    ///
    /// # Errors
    /// As [`RedisServer::command`].
    pub fn finish_migration(&self, slot: u32, from: usize, to: usize) -> Result<(), ServerError> {
        let (slot, id) = (slot.to_string(), self.id(to)?);
        let (source, port) = (&self.masters[from], self.masters[to].port().to_string());
        for key in source.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "1000"])?.texts() {
            source.command(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"])?;
        }
        self.masters[to].command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id])?;
        source.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]).map(drop)
    }

    /// The keys of locks on each master, sorted.
    ///
    /// # Errors
    /// As [`RedisServer::lock_keys`].
    pub fn lock_keys(&self) -> Result<Vec<Vec<String>>, ServerError> {
        self.masters.iter().map(RedisServer::lock_keys).collect()
    }

    fn id(&self, master: usize) -> Result<String, ServerError> {
        Ok(self.masters[master].command(&["CLUSTER", "MYID"])?.text().unwrap_or_default().to_owned())
    }

    fn meet(&self, server: &RedisServer) -> Result<(), ServerError> {
        let port = server.tls_port().unwrap_or_else(|| server.port()).to_string();
        self.masters[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port]).map(drop)
    }

    /// Waits until every member knows all others, and which slots they keep.
    fn wait_until_complete(&self, members: usize) -> Result<(), ServerError> {
        let masters = self.masters.len();
        let expected = [
            "cluster_state:ok".to_owned(),
            format!("cluster_known_nodes:{members}"),
            format!("cluster_size:{masters}"),
        ];
        for server in self.masters.iter().chain(&self.replica) {
            eventually("it knows all members", &server.address(), || {
                let info = server.command(&["CLUSTER", "INFO"])?;
                let lines: Vec<_> = info.text().unwrap_or_default().lines().map(str::trim).collect();
                let nodes = server.command(&["CLUSTER", "NODES"])?;
                let nodes = nodes.text().unwrap_or_default();
                let with = |what: &str| nodes.lines().filter(|line| line.contains(what)).count();
                Ok(expected.iter().all(|line| lines.contains(&line.as_str()))
                    && with("handshake") == 0
                    && with(" connected") == members
                    && with("slave ") == usize::from(self.replica.is_some()))
            })?;
        }
        Ok(())
    }
}

fn member(options: &RedisOptions) -> RedisOptions {
    // With TLS the members speak it among each other too: otherwise they would not tell clients their TLS ports.
    options
        .clone()
        .args(options.tls.iter().flat_map(|_| ["--tls-cluster", "yes"]))
        .arg("--cluster-enabled", "yes")
        .arg("--cluster-node-timeout", "2000")
        .arg("--repl-diskless-sync-delay", "0")
}
