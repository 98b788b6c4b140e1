//! The nodes of a run: real Redis servers, or tables in this process.

use std::io;
use std::sync::Arc;

use redlock::backend::memory::MemoryNode;
use redlock::node::Node;
use redlock::testing::faulty::{Fault, FaultyNode};
use redlock::testing::real_env;
use redlock::testing::servers::{RedisFleet, RedisServer, ServerError};

/// The nodes, which end with this value.
#[derive(Debug)]
pub(super) enum Fleet {
    Redis(RedisFleet),
    InProcess(InProcess),
}

/// Nodes in this process, each with one link from every client.
#[derive(Debug)]
pub(super) struct InProcess {
    /// By client, then by node.
    links: Vec<Vec<Arc<FaultyNode>>>,
}

/// A fleet, and why it is not made of Redis servers if it is not.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) fleet: Fleet,
    pub(super) instead: Option<String>,
}

/// The nodes could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum FleetError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("the threads for nodes in this process could not be started: {0}")]
    Threads(#[from] io::Error),
}

impl Started {
    /// Real servers where there is a program for them, otherwise nodes in this process for so many clients.
    pub(super) fn best(
        nodes: usize,
        clients: usize,
        servers: impl FnOnce(usize) -> Result<RedisFleet, ServerError>,
    ) -> Result<Self, FleetError> {
        match servers(nodes) {
            Ok(servers) => Ok(Self { fleet: Fleet::Redis(servers), instead: None }),
            Err(missing @ ServerError::NotInstalled { .. }) => {
                let fleet = Fleet::InProcess(InProcess::start(nodes, clients)?);
                Ok(Self { fleet, instead: Some(missing.to_string()) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Nodes in this process, as asked for.
    pub(super) fn in_process(nodes: usize, clients: usize) -> Result<Self, FleetError> {
        let fleet = Fleet::InProcess(InProcess::start(nodes, clients)?);
        Ok(Self { fleet, instead: Some("asked for with --in-process".to_owned()) })
    }
}

impl Fleet {
    /// What people call each node.
    pub(super) fn addresses(&self) -> Vec<String> {
        match self {
            Self::Redis(servers) => servers.iter().map(RedisServer::address).collect(),
            Self::InProcess(nodes) => {
                nodes.links.first().into_iter().flatten().map(|node| node.address().to_owned()).collect()
            }
        }
    }

    /// Kills a server (SIGKILL), or cuts the links to a node in this process.
    pub(super) fn kill(&self, index: usize) {
        match self {
            Self::Redis(servers) => servers.server(index).kill(),
            Self::InProcess(nodes) => {
                let links = nodes.links.iter().filter_map(|nodes| nodes.get(index));
                links.for_each(|link| link.set(Fault::refuse()));
            }
        }
    }

    /// What [`Fleet::kill`] has made of a node.
    pub(super) fn fate(&self) -> &'static str {
        match self {
            Self::Redis(_) => "killed",
            Self::InProcess(_) => "cut off",
        }
    }
}

impl InProcess {
    fn start(nodes: usize, clients: usize) -> io::Result<Self> {
        let env = real_env()?;
        let tables: Vec<Arc<dyn Node>> = (1..=nodes)
            .map(|number| MemoryNode::new(format!("memory-{number}"), Arc::clone(&env)) as _)
            .collect();
        let link = |node: &Arc<dyn Node>| FaultyNode::new(Arc::clone(node), Arc::clone(&env));
        Ok(Self { links: (0..clients).map(|_| tables.iter().map(link).collect()).collect() })
    }

    /// The nodes as one client reaches them.
    pub(super) fn seen_by(&self, client: usize) -> Vec<Arc<dyn Node>> {
        self.links.get(client).into_iter().flatten().map(|link| Arc::clone(link) as _).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_redis_the_nodes_are_in_this_process_and_the_reason_says_how_to_install_it() {
        let missing = |_| {
            Err(ServerError::NotInstalled {
                programs: &["redis-server"],
                install: "apt-get install redis-server",
            })
        };
        let started = Started::best(5, 2, missing).unwrap();
        assert!(matches!(started.fleet, Fleet::InProcess(_)));
        assert_eq!(started.fleet.addresses().len(), 5);
        assert!(started.instead.unwrap().contains("apt-get install redis-server"));
    }

    #[test]
    fn a_server_that_does_not_start_is_an_error_and_not_replaced() {
        let broken = |_| Err(ServerError::NotRunning { server: "redis".to_owned() });
        assert!(matches!(Started::best(5, 1, broken), Err(FleetError::Server(_))));
    }
}
