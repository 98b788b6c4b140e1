//! One file per task, in `src/bin`: how to use the lock. This is what they share: where their nodes come from.
//!
//! An example uses the nodes that `REDLOCK_NODES` names, separated by commas:
//!
//! ```sh
//! docker compose up --wait
//! export REDLOCK_NODES=127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003,127.0.0.1:7004,127.0.0.1:7005
//! cargo run -p redlock-examples --bin quorum_lock
//! ```
//!
//! Without it, an example starts servers of its own, on free ports, and stops them when it ends.

use std::env;

use anyhow::{Context, bail};
use redlock::testing::servers::{RedisFleet, RedisServer};

/// Redis masters to keep locks on.
#[derive(Debug)]
pub struct Nodes {
    urls: Vec<String>,
    servers: Option<RedisFleet>,
}

impl Nodes {
    /// The nodes of `REDLOCK_NODES`, or else `count` servers of one's own.
    ///
    /// # Errors
    /// If the variable is empty, or no `redis-server` can be started; the error says what to do then.
    pub fn find(count: usize) -> anyhow::Result<Self> {
        match env::var_os("REDLOCK_NODES") {
            Some(given) => Self::given(given.to_str().context("REDLOCK_NODES is not UTF-8")?),
            None => Self::start(count),
        }
    }

    fn given(list: &str) -> anyhow::Result<Self> {
        let urls: Vec<String> =
            list.split([',', ' ']).filter(|address| !address.is_empty()).map(as_url).collect();
        if urls.is_empty() {
            bail!("REDLOCK_NODES is empty; expected addresses such as 127.0.0.1:7001,127.0.0.1:7002");
        }
        // Not the addresses: one may hold a password.
        println!("nodes: {} of REDLOCK_NODES", urls.len());
        Ok(Self { urls, servers: None })
    }

    /// Starts servers that forget no lock when they crash: every grant is on disk before it is answered.
    fn start(count: usize) -> anyhow::Result<Self> {
        let servers = RedisFleet::start_with(count, &RedisServer::options().persistent()).context(
            "an example needs Redis: install redis-server, or run `docker compose up --wait` and set \
             REDLOCK_NODES=127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003,127.0.0.1:7004,127.0.0.1:7005",
        )?;
        // Nobody holds a lock on them.
        redlock::Locks::builder().nodes(servers.admin_urls()).init_blocking()?;
        println!("nodes: {count} started for this example");
        Ok(Self { urls: servers.admin_urls(), servers: Some(servers) })
    }

    /// Their addresses, as `LocksBuilder::nodes` takes them.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The servers, if they were started for this example: those it may kill.
    pub fn own_servers(&self) -> Option<&RedisFleet> {
        self.servers.as_ref()
    }
}

fn as_url(address: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("redis://{address}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_may_be_given_as_addresses_and_as_urls() {
        let nodes = Nodes::given("127.0.0.1:7001, rediss://10.0.0.1,").unwrap();
        assert_eq!(nodes.urls(), ["redis://127.0.0.1:7001", "rediss://10.0.0.1"]);
        assert!(nodes.own_servers().is_none());
    }

    #[test]
    fn an_empty_list_of_nodes_is_refused() {
        let error = Nodes::given(" , ").unwrap_err();
        assert!(error.to_string().contains("expected addresses such as"), "{error}");
    }
}
