use std::slice;
use std::time::Duration;

use super::error::eventually;
use super::{RedisOptions, RedisServer, ServerError, TlsFiles};

/// How long a server must not answer until a sentinel takes it for dead. Shorter, and a busy machine looks dead too.
const DOWN_AFTER: Duration = Duration::from_millis(1_000);
const REPLICAS: usize = 2;
const SENTINELS: usize = 3;

/// A Redis master with two replicas, and three sentinels that promote one of these when the master dies.
#[derive(Debug)]
pub struct RedisSentinels {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinels {
    /// What the sentinels call the master.
    pub const MASTER_NAME: &'static str = "mymaster";

    /// Starts them, without passwords, and waits until the sentinels know each other and the replicas.
    ///
    /// # Errors
    /// As [`RedisServer::start`], or [`ServerError::Io`] if they do not find each other in time.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_all(RedisServer::options(), None, None)
    }

    /// The same, all of them with TLS, also among each other.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with_tls(files: TlsFiles) -> Result<Self, ServerError> {
        Self::start_all(RedisServer::options().tls(files), None, None)
    }

    /// The same with a password of the servers, and one of the sentinels.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with_passwords(
        password: Option<&str>,
        sentinel_password: Option<&str>,
    ) -> Result<Self, ServerError> {
        Self::start_all(RedisServer::options(), password, sentinel_password)
    }

    fn start_all(
        options: RedisOptions,
        password: Option<&str>,
        sentinel_password: Option<&str>,
    ) -> Result<Self, ServerError> {
        let tls = options.tls.clone();
        let among_each_other: &[&str] = if tls.is_some() { &["--tls-replication", "yes"] } else { &[] };
        let mut options =
            options.arg("--repl-diskless-sync-delay", "0").args(among_each_other.iter().copied());
        if let Some(password) = password {
            options = options.arg("--masterauth", password).arg("--requirepass", password);
        }
        let master = options.start()?;
        let (host, port) = ("127.0.0.1", master.tls_port().unwrap_or_else(|| master.port()).to_string());
        let mut servers = vec![master];
        for _ in 0..REPLICAS {
            servers.push(options.clone().args(["--replicaof", host, &port]).start()?);
        }
        eventually("the replicas follow their master", &servers[0].address(), || {
            Ok(field(&servers[0], "replication", "connected_slaves:")?.as_deref() == Some("2"))
        })?;

        let name = Self::MASTER_NAME;
        let mut lines = vec![
            format!("sentinel monitor {name} {host} {port} 2"),
            format!("sentinel down-after-milliseconds {name} {}", DOWN_AFTER.as_millis()),
            format!("sentinel failover-timeout {name} 4000"),
            format!("sentinel parallel-syncs {name} {REPLICAS}"),
        ];
        lines.extend(password.map(|password| format!("sentinel auth-pass {name} {password}")));
        lines.extend(sentinel_password.map(|password| format!("sentinel sentinel-pass {password}")));
        let mut options =
            RedisOptions::sentinel(lines.join("\n"), tls).args(among_each_other.iter().copied());
        if let Some(password) = sentinel_password {
            options = options.arg("--requirepass", password);
        }
        let sentinels = (0..SENTINELS).map(|_| options.start()).collect::<Result<Vec<_>, _>>()?;
        let all = Self { servers, sentinels };
        all.wait_until_complete()?;
        Ok(all)
    }

    /// The sentinels' addresses, in order.
    pub fn sentinel_addresses(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::address).collect()
    }

    /// The addresses of the sentinels' TLS ports, in order; none without TLS.
    pub fn sentinel_tls_addresses(&self) -> Vec<String> {
        self.sentinels.iter().filter_map(RedisServer::tls_address).collect()
    }

    /// The sentinel at `index`, from 0.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn sentinel(&self, index: usize) -> &RedisServer {
        &self.sentinels[index]
    }

    /// The servers: the first one was the master at the beginning.
    pub fn servers(&self) -> slice::Iter<'_, RedisServer> {
        self.servers.iter()
    }

    /// The server at `index`, from 0; the first one was the master at the beginning.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn server(&self, index: usize) -> &RedisServer {
        &self.servers[index]
    }

    /// The server that all sentinels which answer name as the master; `None` while they differ.
    pub fn master(&self) -> Option<&RedisServer> {
        let named = |sentinel: &RedisServer| {
            let question = ["SENTINEL", "get-master-addr-by-name", Self::MASTER_NAME];
            sentinel.command(&question).ok()?.texts().get(1)?.parse::<u16>().ok()
        };
        let mut ports: Vec<_> = self.sentinels.iter().filter_map(named).collect();
        ports.dedup();
        let [port] = ports.as_slice() else { return None };
        self.servers.iter().find(|server| server.port() == *port)
    }

    /// Has the sentinels promote a replica although the master lives, which then becomes a replica itself.
    ///
    /// # Errors
    /// As [`RedisServer::command`].
    pub fn fail_over(&self) -> Result<(), ServerError> {
        self.sentinels[0].command(&["SENTINEL", "FAILOVER", Self::MASTER_NAME]).map(drop)
    }

    fn wait_until_complete(&self) -> Result<(), ServerError> {
        for sentinel in &self.sentinels {
            eventually("it knows all others", &sentinel.address(), || {
                let known = sentinel.command(&["SENTINEL", "MASTER", Self::MASTER_NAME])?.texts();
                let count =
                    |name: &str| known.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
                Ok(count("num-slaves") == Some("2") && count("num-other-sentinels") == Some("2"))
            })?;
        }
        Ok(())
    }
}

/// What a server's INFO says after `name`, which ends with a colon.
pub(super) fn field(server: &RedisServer, section: &str, name: &str) -> Result<Option<String>, ServerError> {
    let info = server.command(&["INFO", section])?;
    let value = info.text().and_then(|info| info.lines().find_map(|line| line.strip_prefix(name)));
    Ok(value.map(|value| value.trim().to_owned()))
}
