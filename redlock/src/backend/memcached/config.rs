//! How to reach the servers.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::url::{self, Address};
pub use crate::node::tls_files::TlsFiles;

/// How to reach one memcached, or several over which locks are spread as due spreads them. Errors and `Debug` show no password.
#[derive(Clone, PartialEq, Eq)]
pub struct MemcachedConfig {
    /// At least one.
    pub(super) servers: Vec<Address>,
    pub(super) prefix: String,
    pub(super) login: Option<(String, String)>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) connect_timeout: Duration,
    pub(super) restart_guard: bool,
}

impl MemcachedConfig {
    /// The port of a memcached.
    pub const DEFAULT_PORT: u16 = 11_211;
    /// The prefix of keys.
    pub const DEFAULT_PREFIX: &'static str = "redlock";
    /// The longest prefix, in bytes.
    pub const MAX_PREFIX: usize = 128;

    /// One server, by its host name or IP address (IPv6 without brackets), on the default port.
    pub fn new(host: impl Into<String>) -> Self {
        Self::of(vec![Address { host: host.into(), port: Self::DEFAULT_PORT }])
    }

    fn of(servers: Vec<Address>) -> Self {
        Self {
            servers,
            prefix: Self::DEFAULT_PREFIX.to_owned(),
            login: None,
            tls: None,
            connect_timeout: Duration::from_secs(1),
            restart_guard: true,
        }
    }

    /// Reads `memcached://[user:password@]host[:port]`, or `memcacheds://` for TLS. User and password are percent-encoded, an IPv6
    /// host stands in brackets.
    ///
    /// # Errors
    /// [`MemcachedConfigError`]; never with a part of the URL, which may hold a password.
    pub fn from_url(url: &str) -> Result<Self, MemcachedConfigError> {
        let parts = url::parse(url)?;
        let tls = parts.tls.then(TlsFiles::platform);
        Ok(Self { login: parts.login, tls, ..Self::of(vec![parts.address]) })
    }

    /// One node over several servers: a lock is kept by the one that CRC-32 (IEEE) of its key modulo their number says, as due has it, so the order
    /// of the list matters. Each is `host`, `host:port` or `[IPv6]:port`. One alone is the same as [`new`](Self::new).
    ///
    /// Several servers have no restart guard: see [`MemcachedNode`](super::MemcachedNode).
    ///
    /// # Errors
    /// [`MemcachedConfigError`] without an address, with one that is none, or twice the same.
    pub fn sharded<I: IntoIterator<Item: AsRef<str>>>(addresses: I) -> Result<Self, MemcachedConfigError> {
        let mut servers: Vec<Address> = Vec::new();
        for (index, text) in addresses.into_iter().enumerate() {
            let address = url::parse_address(text.as_ref())
                .ok_or(MemcachedConfigError::Address { number: index + 1 })?;
            if servers.contains(&address) {
                return Err(MemcachedConfigError::DuplicateAddress { address: address.to_string() });
            }
            servers.push(address);
        }
        if servers.is_empty() {
            return Err(MemcachedConfigError::NoAddresses);
        }
        Ok(Self::of(servers))
    }

    /// Sets the port of the first server.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        if let Some(server) = self.servers.first_mut() {
            server.port = port;
        }
        self
    }

    /// The keys of locks are `prefix:name`, or `name` where it is empty.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Logs in on every server (ASCII authentication, `memcached -Y`).
    #[must_use]
    pub fn credentials(self, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { login: Some((user.into(), password.into())), ..self }
    }

    /// Speaks TLS with every server.
    #[must_use]
    pub fn tls(self, files: TlsFiles) -> Self {
        Self { tls: Some(files), ..self }
    }

    /// How long an attempt to connect and to set up a connection may take; 1 s by default.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self { connect_timeout: limit, ..self }
    }

    /// Whether a server that may have forgotten locks is kept from granting: see
    /// [`LocksBuilder::restart_guard`](crate::LocksBuilder::restart_guard), which sets this. Without it no marker is read or written. Several servers
    /// have none in any case.
    #[must_use]
    pub fn restart_guard(self, on: bool) -> Self {
        Self { restart_guard: on, ..self }
    }

    /// Where it is, without credentials: `host:port`; several are joined by commas.
    pub fn address(&self) -> String {
        let texts: Vec<String> = self.servers.iter().map(Address::to_string).collect();
        texts.join(",")
    }

    /// Whether it is one node over several servers, which has no restart guard.
    pub fn is_sharded(&self) -> bool {
        self.servers.len() > 1
    }

    /// Checks what can be checked without a file or a server.
    ///
    /// # Errors
    /// [`MemcachedConfigError`].
    pub fn validate(&self) -> Result<(), MemcachedConfigError> {
        if self.prefix.len() > Self::MAX_PREFIX {
            return Err(MemcachedConfigError::PrefixTooLong { len: self.prefix.len() });
        }
        if self.connect_timeout.is_zero() {
            return Err(MemcachedConfigError::ZeroConnectTimeout);
        }
        if let Some((user, password)) = &self.login {
            // They are sent as one line with a blank between them.
            let cannot_be_sent = |c: char| c == ' ' || c.is_control();
            if user.is_empty() || user.contains(cannot_be_sent) || user.contains(':') {
                return Err(MemcachedConfigError::Login { part: "user" });
            }
            if password.is_empty() || password.contains(cannot_be_sent) {
                return Err(MemcachedConfigError::Login { part: "password" });
            }
        }
        match &self.tls {
            Some(TlsFiles { cert: Some(_), key: None, .. }) => {
                Err(MemcachedConfigError::TlsIncomplete { given: "certificate", missing: "key" })
            }
            Some(TlsFiles { cert: None, key: Some(_), .. }) => {
                Err(MemcachedConfigError::TlsIncomplete { given: "key", missing: "certificate" })
            }
            _ => Ok(()),
        }
    }

    /// Whether a marker is kept.
    pub(super) fn is_guarded(&self) -> bool {
        self.restart_guard && !self.is_sharded()
    }
}

impl fmt::Debug for MemcachedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedConfig")
            .field("address", &self.address())
            .field("user", &self.login.as_ref().map(|(user, _)| user))
            .field("password", &self.login.as_ref().map(|_| "secret"))
            .field("prefix", &self.prefix)
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .field("restart_guard", &self.restart_guard)
            .finish()
    }
}

/// What is wrong with a [`MemcachedConfig`]. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemcachedConfigError {
    /// It is no URL of a memcached.
    #[error(
        "not a memcached URL: {reason}; expected memcached://[user:password@]host[:port], or memcacheds:// for TLS, with characters like / # @ percent-encoded in user and password, and an IPv6 host in brackets"
    )]
    Url {
        /// What is wrong; no part of the URL.
        reason: String,
    },
    /// One of several addresses is none.
    #[error(
        "address {number} of the memcached servers is not host:port; an IPv6 address is in brackets as in [::1]:11211, and user and password do not belong into it"
    )]
    Address {
        /// Which one, counted from 1.
        number: usize,
    },
    /// There is no address.
    #[error("there are no addresses of memcached servers; expected at least one host:port")]
    NoAddresses,
    /// One server is given twice.
    #[error("{address} is twice among the addresses of the memcached servers; name every server once")]
    DuplicateAddress {
        /// The address.
        address: String,
    },
    /// The prefix is longer than [`MemcachedConfig::MAX_PREFIX`].
    #[error("the prefix has {len} bytes; at most {} are allowed", MemcachedConfig::MAX_PREFIX)]
    PrefixTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The time for a connection attempt is zero.
    #[error("the connect timeout is zero; no connection could ever be made (1 s is the default)")]
    ZeroConnectTimeout,
    /// User or password cannot be those of a memcached.
    #[error(
        "the {part} is empty, or has a character that memcached's file of users cannot have (a blank or a control character, and in the user a colon)"
    )]
    Login {
        /// `user` or `password`.
        part: &'static str,
    },
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
    /// Certificates, key, host and the platform do not go together.
    #[error("TLS cannot be set up: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
}
