//! How to reach one Redis: plain data.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::place::{Address, Place, list};
use super::{acl, url};
pub use crate::node::tls_files::TlsFiles;

/// One Redis master: where it is, who we are there, and what our keys begin with. Or how the master is found: by
/// [sentinels](RedisConfig::sentinel), or in a [Cluster](RedisConfig::cluster), which both guarantee less.
///
/// ```
/// # use redlock::backend::redis::RedisConfig;
/// # fn main() -> Result<(), redlock::backend::redis::RedisConfigError> {
/// let config = RedisConfig::from_url("redis://locker:s3cret@10.0.0.1:6379/2")?.prefix("billing");
/// assert_eq!(config.address(), "10.0.0.1:6379/2");
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConfig {
    pub(super) host: String,
    pub(super) port: u16,
    /// `None`: nobody has named one, which means 0.
    pub(super) db: Option<u32>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) prefix: String,
    pub(super) tls: Option<TlsFiles>,
    pub(super) connect_timeout: Duration,
    pub(super) place: Place,
    pub(super) sentinel_username: Option<String>,
    pub(super) sentinel_password: Option<String>,
    pub(super) restart_guard: bool,
    pub(super) trust_aof: bool,
}

impl RedisConfig {
    /// The longest prefix, in bytes.
    pub const MAX_PREFIX: usize = 64;
    /// The prefix unless another is set.
    pub const DEFAULT_PREFIX: &'static str = "redlock";
    /// The port unless another is set.
    pub const DEFAULT_PORT: u16 = 6379;
    /// How long a connection attempt may take unless another time is set.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

    /// A Redis on `host` (a name or an IP address, IPv6 without brackets), with defaults for everything else.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: Self::DEFAULT_PORT,
            db: None,
            username: None,
            password: None,
            prefix: Self::DEFAULT_PREFIX.to_owned(),
            tls: None,
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            place: Place::Fixed,
            sentinel_username: None,
            sentinel_password: None,
            restart_guard: false,
            trust_aof: false,
        }
    }

    /// The master that Redis Sentinel calls `master_name`, wherever it is now. `sentinels` are `host[:port]`, the port
    /// 26379 by default; give all of them. [`tls`](RedisConfig::tls) holds for sentinels and master alike;
    /// [`username`](RedisConfig::username) and [`password`](RedisConfig::password) are the master's. The port set by
    /// [`port`](RedisConfig::port) has no meaning.
    ///
    /// All sentinels are asked at every connection attempt, and now and then while connected. What most of them name is
    /// connected to, and used only if it says itself that it is a master.
    ///
    /// # What it does not guarantee
    /// Replication is asynchronous: **a failover can lose a lock that was granted**. With the
    /// [restart guard](crate::LocksBuilder::restart_guard) the promoted replica grants nothing new until such locks have
    /// ended, so that the price of a failover is `maxExpiration`; without it the name is granted a second time while the
    /// first holder still believes in its validity, for up to the TTL. In either case a master that the sentinels have
    /// replaced and that still runs, cut off from them, goes on granting to clients that reach it alone. Where that must not happen, use a quorum of independent masters ([`nodes`](crate::LocksBuilder::nodes)), or let the resource
    /// compare fencing tokens.
    ///
    /// ```
    /// # use redlock::backend::redis::RedisConfig;
    /// # fn main() -> Result<(), redlock::backend::redis::RedisConfigError> {
    /// let config = RedisConfig::sentinel("mymaster", ["10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379"])?
    ///     .password("s3cret")
    ///     .sentinel_password("an0ther");
    /// assert_eq!(config.address(), "sentinel:mymaster@10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`RedisConfigError`] if the name has characters that Sentinel does not allow, if there is no address, one is given
    /// twice, or one is no address.
    pub fn sentinel(
        master_name: impl Into<String>,
        sentinels: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, RedisConfigError> {
        let place = Place::sentinel(master_name.into(), sentinels.into_iter().collect())?;
        Ok(Self { place, ..Self::new("") })
    }

    /// A Redis Cluster as **one** node: a name is kept by the master of its slot. `seeds` are `host[:port]` of some of
    /// its members, the port 6379 by default; the others are found by asking them. User, password and TLS hold for every
    /// member. A Cluster has no databases but 0. The port set by [`port`](RedisConfig::port) has no meaning.
    ///
    /// While a slot is being migrated, requests for names that are not on the old master any more, or not yet there, fail
    /// without effect; migrate the slots of locks one at a time, and quickly.
    ///
    /// # What it does not guarantee
    /// Replication is asynchronous: **a failover can lose a lock that was granted**, and then the name is granted a
    /// second time while the first holder still believes in its validity, for up to the TTL. A Cluster is no quorum:
    /// only one of its masters knows a name. Where that must not happen, use a quorum of independent masters
    /// ([`nodes`](crate::LocksBuilder::nodes)), or let the resource compare fencing tokens.
    ///
    /// # Errors
    /// [`RedisConfigError`] if there is no address, one is given twice, or one is no address.
    pub fn cluster(seeds: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, RedisConfigError> {
        Ok(Self { place: Place::cluster(seeds.into_iter().collect())?, ..Self::new("") })
    }

    /// Reads `redis://[user[:password]@]host[:port][/db]`, or `rediss://...` for TLS. `redis://:password@host` is the
    /// default user. Characters that have a meaning in URLs are percent-encoded in user and password. The host becomes
    /// lower case.
    ///
    /// # Errors
    /// [`RedisConfigError`] says what is wrong with it; no error repeats any part of the URL that may be a secret.
    pub fn from_url(url: &str) -> Result<Self, RedisConfigError> {
        url::parse(url)
    }

    /// Sets the port (6379).
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Sets the number of the database (0).
    #[must_use]
    pub fn db(self, db: u32) -> Self {
        Self { db: Some(db), ..self }
    }

    /// Sets the ACL user; without one it is Redis's `default` user.
    #[must_use]
    pub fn username(self, username: impl Into<String>) -> Self {
        Self { username: Some(username.into()), ..self }
    }

    /// Sets the password.
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self }
    }

    /// Sets the ACL user at the sentinels, for a node given by [`sentinel`](RedisConfig::sentinel).
    #[must_use]
    pub fn sentinel_username(self, username: impl Into<String>) -> Self {
        Self { sentinel_username: Some(username.into()), ..self }
    }

    /// Sets the password at the sentinels, for a node given by [`sentinel`](RedisConfig::sentinel).
    #[must_use]
    pub fn sentinel_password(self, password: impl Into<String>) -> Self {
        Self { sentinel_password: Some(password.into()), ..self }
    }

    /// Sets what comes before `:name` in a key (`redlock`), up to [`RedisConfig::MAX_PREFIX`] bytes. With an empty
    /// prefix the key is the name itself.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Speaks TLS, with these files. Needs the cargo feature `tls`.
    #[must_use]
    pub fn tls(self, files: TlsFiles) -> Self {
        Self { tls: Some(files), ..self }
    }

    /// Sets how long one connection attempt may take, up to and including log-in and the loading of the scripts (1 s).
    #[must_use]
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// Whether the server keeps a marker of its memory, and grants nothing without it (no). For nodes that are started by hand:
    /// [`LocksBuilder::restart_guard`](crate::LocksBuilder::restart_guard) says so to its own.
    #[must_use]
    pub fn restart_guard(self, restart_guard: bool) -> Self {
        Self { restart_guard, ..self }
    }

    /// Whether a server that writes through to disk forgets nothing when it restarts (no); see
    /// [`LocksBuilder::trust_aof`](crate::LocksBuilder::trust_aof).
    #[must_use]
    pub fn trust_aof(self, trust_aof: bool) -> Self {
        Self { trust_aof, ..self }
    }

    /// What the ACL user needs on this node, and no more: words for `ACL SETUSER`, one for each right, with one blank between
    /// them. See [`RedisNode`](super::RedisNode#rights).
    ///
    /// ```
    /// # use redlock::backend::redis::RedisConfig;
    /// let config = RedisConfig::new("10.0.0.1").prefix("billing");
    /// println!("ACL SETUSER locker reset on >PASSWORD {}", config.acl_rule());
    /// assert!(config.acl_rule().starts_with("~billing:* ~#redlock:aux:* +info "));
    /// ```
    pub fn acl_rule(&self) -> String {
        acl::rule(self)
    }

    /// What the keys of locks begin with.
    #[cfg(feature = "config")]
    pub(crate) fn get_prefix(&self) -> &str {
        &self.prefix
    }

    /// What people call this node: `host:port`, or `host:port/db`; never credentials. An IPv6 host is in brackets. With
    /// sentinels it is `sentinel:NAME@host:port,...`, for a Cluster `cluster:host:port,...`, with the addresses that were
    /// given: it stays the same, whoever is the master.
    pub fn address(&self) -> String {
        let server = match &self.place {
            Place::Fixed => format!("{}:{}", self.bracketed_host(), self.port),
            Place::Sentinel { master_name, sentinels } => {
                format!("sentinel:{master_name}@{}", list(sentinels))
            }
            Place::Cluster { seeds } => format!("cluster:{}", list(seeds)),
        };
        match self.database() {
            0 => server,
            db => format!("{server}/{db}"),
        }
    }

    /// The same for the one server at `address`, however that was found.
    pub(super) fn at(&self, address: &Address) -> Self {
        let Address { host, port } = address.clone();
        let (sentinel_username, sentinel_password) = (None, None);
        Self { host, port, place: Place::Fixed, sentinel_username, sentinel_password, ..self.clone() }
    }

    /// How to reach the sentinel at `address`.
    pub(super) fn at_sentinel(&self, address: &Address) -> Self {
        let (username, password) = (self.sentinel_username.clone(), self.sentinel_password.clone());
        Self { username, password, db: None, ..self.at(address) }
    }

    /// Whether it is a Cluster, which is more than one master.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.place, Place::Cluster { .. })
    }

    /// The number of the database.
    pub(super) fn database(&self) -> u32 {
        self.db.unwrap_or(0)
    }

    /// The host as it stands before a colon and a port.
    pub(super) fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Completes what a URL says with what holds for all nodes: the prefix and the TLS files always, the database and the
    /// log-in where the URL has none. User and password are one pair, never mixed from both.
    #[cfg(feature = "config")]
    pub(crate) fn completed_by(self, common: &Self) -> Self {
        let logs_in = self.username.is_some() || self.password.is_some();
        let (username, password) = match logs_in {
            true => (self.username, self.password),
            false => (common.username.clone(), common.password.clone()),
        };
        let (db, prefix) = (self.db.or(common.db), common.prefix.clone());
        let tls = common.tls.clone().or(self.tls);
        Self { db, username, password, prefix, tls, ..self }
    }

    /// Whether it speaks TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Checks what the setters could not.
    pub(crate) fn validate(&self) -> Result<(), RedisConfigError> {
        match &self.place {
            Place::Fixed if self.host.is_empty() => return Err(RedisConfigError::MissingHost),
            Place::Cluster { .. } if self.restart_guard => return Err(RedisConfigError::ClusterGuard),
            Place::Cluster { .. } if self.database() != 0 => {
                return Err(RedisConfigError::ClusterDatabase { db: self.database() });
            }
            Place::Sentinel { .. } => {}
            _ if self.sentinel_username.is_some() || self.sentinel_password.is_some() => {
                return Err(RedisConfigError::NoSentinels);
            }
            _ => {}
        }
        if self.prefix.len() > Self::MAX_PREFIX {
            return Err(RedisConfigError::PrefixTooLong { len: self.prefix.len() });
        }
        if self.connect_timeout.is_zero() {
            return Err(RedisConfigError::ZeroConnectTimeout);
        }
        Ok(())
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("address", &self.address())
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "secret"))
            .field("prefix", &self.prefix)
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .field("sentinel_username", &self.sentinel_username)
            .field("sentinel_password", &self.sentinel_password.as_ref().map(|_| "secret"))
            .finish()
    }
}

/// Why a [`RedisConfig`] cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisConfigError {
    /// It is no URL at all.
    #[error(
        "not a Redis URL: {reason}; expected redis://[user[:password]@]host[:port][/db], with characters like / # @ percent-encoded in user and password, and an IPv6 host in brackets"
    )]
    Malformed {
        /// What the parser stumbled over; no part of the URL.
        reason: String,
    },
    /// It begins with something else.
    #[error("a Redis URL must begin with redis:// or rediss://")]
    Scheme,
    /// It names a Unix socket.
    #[error("Unix sockets are not supported; the server must listen on TCP: redis://host:port")]
    UnixSocket,
    /// There is no host.
    #[error(
        "the host of the Redis server is missing; expected redis://host:port, with an IPv6 host in brackets"
    )]
    MissingHost,
    /// What follows the host is no database number.
    #[error(
        "what follows the host in a Redis URL must be the number of a database, as in redis://host:6379/2"
    )]
    Database,
    /// User or password do not decode.
    #[error("the {part} in the Redis URL is not percent-encoded UTF-8")]
    Encoding {
        /// `user` or `password`.
        part: &'static str,
    },
    /// The URL goes on after the database.
    #[error("a Redis URL has no {part}; percent-encode the character if it belongs to user or password")]
    Trailing {
        /// `query (?)` or `fragment (#)`.
        part: &'static str,
    },
    /// A Cluster member or a sentinel is given by something that is no address.
    #[error(
        "address {number} of the {of} is not host:port; an IPv6 address is in brackets as in [::1]:6379, and user and password do not belong into it"
    )]
    Address {
        /// Which one, counted from 1.
        number: usize,
        /// `sentinels` or `Cluster members`.
        of: &'static str,
    },
    /// There is no address of a Cluster member or sentinel.
    #[error("there are no addresses of {of}; expected at least one host:port")]
    NoAddresses {
        /// `sentinels` or `Cluster members`.
        of: &'static str,
    },
    /// A Cluster member or a sentinel is given twice.
    #[error("{address} is twice among the addresses of the {of}; name every server once")]
    DuplicateAddress {
        /// The address.
        address: String,
        /// `sentinels` or `Cluster members`.
        of: &'static str,
    },
    /// Sentinel could not have a master of this name.
    #[error(
        "the name of the master is not one that Sentinel allows; expected the name in the sentinels' own configuration (`sentinel monitor NAME ...`), of letters, digits and . - _"
    )]
    MasterName,
    /// A user or password for sentinels, and no sentinels.
    #[error("a user or password for sentinels is given, but no sentinels; see RedisConfig::sentinel")]
    NoSentinels,
    /// A Cluster has no databases.
    #[error("database {db} is asked for, but a Redis Cluster has database 0 alone")]
    ClusterDatabase {
        /// The database.
        db: u32,
    },
    /// A Cluster keeps no marker of its memory: its key would have to lie on every master, whatever slots that has.
    #[error(
        "the restart guard is asked for, but a Redis Cluster keeps no marker of its memory; use independent masters, or a master behind Sentinel"
    )]
    ClusterGuard,
    /// A Cluster is given where one master is wanted, or the other way round.
    #[error("expected the configuration of {expected}")]
    Topology {
        /// What was wanted, and where the other belongs.
        expected: &'static str,
    },
    /// The prefix is longer than [`RedisConfig::MAX_PREFIX`].
    #[error("the prefix has {len} bytes; at most {} are allowed", RedisConfig::MAX_PREFIX)]
    PrefixTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The time for a connection attempt is zero.
    #[error("the connect timeout is zero; no connection could ever be made (1 s is the default)")]
    ZeroConnectTimeout,
    /// TLS is asked for and not built in.
    #[error("TLS is asked for, but this program was built without the cargo feature `tls` of redlock-quorum")]
    TlsNotBuilt,
    /// A TLS file cannot be used.
    #[error("{path}: {reason}; expected {expected} in PEM form", path = .path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The client's certificate comes without its key, or the other way round.
    #[error("the client's {given} is given without its {missing}; mutual TLS needs both")]
    TlsIncomplete {
        /// The one that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// Certificates, key and the platform do not go together.
    #[error("TLS cannot be set up: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
}

#[cfg(all(test, not(feature = "tls")))]
mod tests {
    use super::*;

    #[test]
    fn tls_is_refused_where_it_is_not_built_in() {
        let config = RedisConfig::from_url("rediss://h").unwrap();
        assert_eq!(super::super::load_tls(&config).unwrap_err(), RedisConfigError::TlsNotBuilt);
    }
}
