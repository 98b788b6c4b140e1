//! How to reach one Redis: plain data.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{acl, url};

/// One Redis master: where it is, who we are there, and what our keys begin with.
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
    pub(super) restart_guard: bool,
    pub(super) trust_aof: bool,
}

/// The PEM files for TLS. Without any of them the platform's roots judge the server, and the client shows no certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// Certificates of the authorities that may have signed the server's certificate; `None`: the platform's.
    pub ca: Option<PathBuf>,
    /// The client's certificate, with its chain. Needs `key`.
    pub cert: Option<PathBuf>,
    /// The private key of `cert`.
    pub key: Option<PathBuf>,
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
            restart_guard: false,
            trust_aof: false,
        }
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

    /// What people call this node: `host:port`, or `host:port/db`; never credentials. An IPv6 host is in brackets.
    pub fn address(&self) -> String {
        let (host, port) = (self.bracketed_host(), self.port);
        match self.database() {
            0 => format!("{host}:{port}"),
            db => format!("{host}:{port}/{db}"),
        }
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
        if self.host.is_empty() {
            return Err(RedisConfigError::MissingHost);
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

impl TlsFiles {
    /// The platform's roots and no client certificate.
    pub fn platform() -> Self {
        Self::default()
    }

    /// Trusts the authorities in this file, and no others.
    #[must_use]
    pub fn ca(self, path: impl Into<PathBuf>) -> Self {
        Self { ca: Some(path.into()), ..self }
    }

    /// Shows this certificate to the server.
    #[must_use]
    pub fn cert(self, path: impl Into<PathBuf>) -> Self {
        Self { cert: Some(path.into()), ..self }
    }

    /// Sets the private key of the client's certificate.
    #[must_use]
    pub fn key(self, path: impl Into<PathBuf>) -> Self {
        Self { key: Some(path.into()), ..self }
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
