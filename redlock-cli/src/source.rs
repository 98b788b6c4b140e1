//! Which nodes a subcommand talks to: the options that all of them share.

mod local;

use std::path::PathBuf;
use std::time::Duration;

use redlock::config::Config;
use redlock::{BuildError, Locks, LocksBuilder};

use crate::duration;
use crate::exit::Failed;

/// Where the nodes and their settings are written down.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// The nodes, separated by commas: redis://[user:password@]host[:port][/db], rediss:// for TLS, memcached://host:port,
    /// etcd://host:port,..., zookeeper://host:port,..., file:///directory
    #[arg(long, value_name = "URL,...", conflicts_with = "config")]
    nodes: Option<String>,
    /// The configuration file of the clients
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The number of the node set that these nodes are (nodeSet); 0 where nothing says otherwise
    #[arg(long, value_name = "NUMBER")]
    node_set: Option<u64>,
}

impl Source {
    /// What `--nodes` or `--config` says, else the environment.
    pub(crate) fn builder(&self) -> Result<LocksBuilder, Failed> {
        self.config()?.ok_or_else(|| {
            let nothing = "no nodes: give --nodes or --config, or set REDLOCK_CONFIG or REDLOCK_NODES";
            Failed::Misconfigured(nothing.to_owned())
        })
    }

    fn config(&self) -> Result<Option<LocksBuilder>, Failed> {
        let config = match (&self.nodes, &self.config) {
            (Some(list), _) => Some(Config::from_nodes(list, "--nodes")),
            (None, Some(file)) => Some(Config::from_file(file)),
            (None, None) => Config::from_env().transpose(),
        };
        let Some(config) = config else { return Ok(None) };
        let builder = config.map_err(BuildError::from)?.into_builder()?;
        Ok(Some(self.node_set.into_iter().fold(builder, LocksBuilder::node_set)))
    }
}

/// What is done to the nodes themselves: [`Source`], and the longest TTL, on which all clients have to agree.
#[derive(Debug, clap::Args)]
pub(crate) struct FleetSource {
    #[command(flatten)]
    source: Source,
    /// The longest TTL, as all clients have it (maxExpiration): 30s, 1m30s; a bare number is seconds
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    max_ttl: Option<Duration>,
}

impl FleetSource {
    /// For looking and changing, not for locks.
    pub(crate) fn builder(&self) -> Result<LocksBuilder, Failed> {
        let builder = self.source.builder()?;
        Ok(match self.max_ttl {
            // No lock is taken: the TTL of those that state none may be any, and must not be above it.
            Some(max) => builder.max_ttl(max).ttl(max),
            None => builder,
        })
    }
}

/// Where locks are taken: [`Source`], or this machine alone.
#[derive(Debug, clap::Args)]
pub(crate) struct LockSource {
    #[command(flatten)]
    source: Source,
    /// Lock between the processes of this user on this machine alone, without any node
    #[arg(long, conflicts_with_all = ["nodes", "config"])]
    local: bool,
    /// How long the nodes keep the lock without renewal: 30s, 500ms; a bare number is seconds
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ttl: Option<Duration>,
}

impl LockSource {
    /// The nodes; the TTL is that of the command line where it has one.
    pub(crate) fn builder(&self) -> Result<LocksBuilder, Failed> {
        let builder = if self.local {
            Locks::builder().file(local::directory()?)
        } else {
            // Two machines without a configuration must not each believe that they hold the lock.
            self.source.config()?.ok_or_else(|| {
                let nothing = "nothing is configured: give --nodes or --config, or set REDLOCK_CONFIG or REDLOCK_NODES; \
                               --local locks between the processes of this machine alone";
                Failed::Misconfigured(nothing.to_owned())
            })?
        };
        Ok(match self.ttl {
            // Nobody else has to know the longest TTL there.
            Some(ttl) if self.local => builder.ttl(ttl).max_ttl(ttl),
            Some(ttl) => builder.ttl(ttl),
            None => builder,
        })
    }
}
