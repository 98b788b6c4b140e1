//! How to reach an ensemble, and how long its sessions last.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::url;

/// How to reach a ZooKeeper ensemble: all its members are one node. `Debug` shows no password.
#[derive(Clone, PartialEq)]
pub struct ZooKeeperConfig {
    /// Each `host:port`, an IPv6 host in brackets.
    pub(super) members: Vec<String>,
    /// Everything lies below this path; empty: the root.
    pub(super) folder: String,
    pub(super) prefix: String,
    pub(super) login: Option<Login>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) session_timeout: Option<Duration>,
    pub(super) touch_delay: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) longest_ttl: Duration,
}

/// Who we are by ZooKeeper's scheme `digest`.
#[derive(Clone, PartialEq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct TlsFiles {
    pub(super) ca: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// What is wrong with a [`ZooKeeperConfig`]. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZooKeeperConfigError {
    /// The URL has another scheme.
    #[error("expected zookeeper://[user:password@]host[:port],... or zookeepers:// for TLS")]
    Scheme,
    /// There is no member.
    #[error("no member is named; expected host[:port], several of them separated by commas")]
    MissingHost,
    /// A member is no `host[:port]`, or named twice.
    #[error("member {position}: {reason}; expected host[:port], such as 10.0.0.1:2181 or [::1]:2181")]
    Member {
        /// Which one, from 1.
        position: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A part of a URL that has no meaning here.
    #[error("the URL has a {part}, which has no meaning here")]
    Trailing {
        /// Which part.
        part: &'static str,
    },
    /// A part of the URL is not text, or wrongly encoded.
    #[error("the {part} in the URL is not valid percent-encoded UTF-8 without control characters")]
    Encoding {
        /// Which part.
        part: &'static str,
    },
    /// A user without a password, or a password without a user; or a colon in the user.
    #[error("digest authentication needs a user without a colon, and a password")]
    Login,
    /// A path or prefix with empty parts.
    #[error("the {part} has an empty part; expected names separated by single slashes")]
    Path {
        /// Which one.
        part: &'static str,
    },
    /// A duration is out of range.
    #[error("{what} is out of range; expected {expected}")]
    Duration {
        /// Which one.
        what: &'static str,
        /// The range.
        expected: &'static str,
    },
    /// TLS without the authorities that are to be trusted.
    #[error("TLS needs a file with the certificates of the authorities to trust (caFile)")]
    TlsWithoutCa,
    /// A client certificate without its key, or a key without its certificate.
    #[error("a client certificate needs both: a certificate file and a key file")]
    TlsIncomplete,
    /// A file cannot be read or used.
    #[error("cannot use {}: {reason}; expected {expected}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// Why not.
        reason: String,
    },
    /// This build has no TLS.
    #[error("TLS is asked for, but this program was built without the cargo feature `tls`")]
    NoTls,
}

impl ZooKeeperConfig {
    /// The port where none is named.
    pub const DEFAULT_PORT: u16 = 2181;
    /// The prefix where none is set.
    pub const DEFAULT_PREFIX: &'static str = "redlock";
    /// Of [`touch_delay`](Self::touch_delay): `tickTime` 2 s and `syncLimit` 5, as in ZooKeeper's own example.
    pub const DEFAULT_TOUCH_DELAY: Duration = Duration::from_secs(12);

    /// The ensemble with these members, each `host[:port]`. One that is reached is enough; it finds no others by itself.
    ///
    /// # Errors
    /// [`ZooKeeperConfigError::MissingHost`] and [`ZooKeeperConfigError::Member`].
    pub fn new<I: IntoIterator<Item: AsRef<str>>>(members: I) -> Result<Self, ZooKeeperConfigError> {
        Ok(Self {
            members: url::members(members)?,
            folder: String::new(),
            prefix: Self::DEFAULT_PREFIX.to_owned(),
            login: None,
            tls: None,
            session_timeout: None,
            touch_delay: Self::DEFAULT_TOUCH_DELAY,
            connect_timeout: Duration::from_secs(3),
            longest_ttl: Duration::from_secs(30),
        })
    }

    /// Reads `zookeeper://[user:password@]host[:port],host2[:port][/path]`, or `zookeepers://` for TLS. User and password are
    /// percent-encoded. Everything is kept below the path.
    ///
    /// # Errors
    /// [`ZooKeeperConfigError`]; it never repeats what the URL says.
    pub fn from_url(url: &str) -> Result<Self, ZooKeeperConfigError> {
        url::parse(url)
    }

    /// The znodes of locks are `/prefix/name`, or `/name` where it is empty. Slashes make several levels of it. Default `redlock`.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Authenticates by the scheme `digest`. Every znode that is created then belongs to this user alone (`CREATOR_ALL`);
    /// without it, znodes are open to everybody (`world:anyone`).
    #[must_use]
    pub fn login(self, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { login: Some(Login { user: user.into(), password: password.into() }), ..self }
    }

    /// Connects with TLS, and trusts the authorities whose certificates are in this PEM file. There is no default for it.
    ///
    /// If the process has no default provider for rustls yet, ring becomes it.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.get_or_insert_default().ca = Some(path.into());
        self
    }

    /// Connects with TLS, and shows this client certificate: PEM files of the certificate and its private key.
    #[must_use]
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let tls = self.tls.get_or_insert_default();
        (tls.certificate, tls.key) = (Some(certificate.into()), Some(key.into()));
        self
    }

    /// The session timeout to ask for. By default the longest TTL and twice [`touch_delay`](Self::touch_delay). The servers grant
    /// what lies within their `minSessionTimeout` and `maxSessionTimeout` (by default 2 and 20 ticks, that is 4 s and 40 s).
    ///
    /// The shorter, the sooner the locks of a client that has crashed are free; the longest TTL is
    /// 1.5 x `touch_delay` less.
    #[must_use]
    pub fn session_timeout(self, timeout: Duration) -> Self {
        Self { session_timeout: Some(timeout), ..self }
    }

    /// How long a sign of life may take from the member that we are connected to until it has reached the leader for
    /// certain: more than `tickTime` x (`syncLimit` + 1/2) of the servers' configuration. 12 s by default.
    ///
    /// A smaller value than that of the servers is unsafe where a leader stands still for longer: it then knows less of our
    /// session than we take it to know, and may end it too soon ([`ZooKeeperNode`](super::ZooKeeperNode), "Sessions").
    #[must_use]
    pub fn touch_delay(self, delay: Duration) -> Self {
        Self { touch_delay: delay, ..self }
    }

    /// How long a member may take to answer until another one is tried: 3 s by default.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, ..self }
    }

    /// The longest TTL that will be asked for; sessions must last longer. 30 s by default.
    #[must_use]
    pub fn longest_ttl(self, ttl: Duration) -> Self {
        Self { longest_ttl: ttl, ..self }
    }

    /// Where it is, without credentials: `host:port,host2:port/path`.
    pub fn address(&self) -> String {
        format!("{}{}", self.members.join(","), self.folder)
    }

    /// The session timeout that is asked for.
    pub(super) fn requested(&self) -> Duration {
        self.session_timeout.unwrap_or_else(|| self.longest_ttl.saturating_add(self.touch_delay * 2))
    }

    /// How much longer than a TTL a session must be: the delay, and half of it for the pause between two signs of life.
    pub(super) fn overhead(&self) -> Duration {
        self.touch_delay.saturating_add(self.touch_delay / 2)
    }

    /// What can be checked without files and servers.
    pub(crate) fn validate(&self) -> Result<(), ZooKeeperConfigError> {
        const DAY: Duration = Duration::from_secs(86_400);
        let within = |what, value: Duration, least: Duration, expected| {
            let is_good = (least..=DAY * 366).contains(&value);
            is_good.then_some(()).ok_or(ZooKeeperConfigError::Duration { what, expected })
        };
        let milli = Duration::from_millis(1);
        within("connectTimeout", self.connect_timeout, milli * 10, "10 ms to 366 days")?;
        within("touchDelay", self.touch_delay, milli * 10, "10 ms to 366 days")?;
        let timeout = self.requested();
        // The protocol has milliseconds in 32 bits.
        if timeout < milli * 10 || timeout.as_millis() > i32::MAX as u128 {
            let (what, expected) = ("the session timeout", "10 ms to 24 days");
            return Err(ZooKeeperConfigError::Duration { what, expected });
        }
        if let Some(Login { user, password }) = &self.login
            && (user.is_empty() || password.is_empty() || user.contains(':'))
        {
            return Err(ZooKeeperConfigError::Login);
        }
        for (part, path) in [("path", self.folder.strip_prefix('/').unwrap_or("")), ("prefix", &self.prefix)]
        {
            if !path.is_empty() && path.split('/').any(str::is_empty) {
                return Err(ZooKeeperConfigError::Path { part });
            }
        }
        if let Some(tls) = &self.tls {
            if cfg!(not(feature = "tls")) {
                return Err(ZooKeeperConfigError::NoTls);
            }
            if tls.certificate.is_some() != tls.key.is_some() {
                return Err(ZooKeeperConfigError::TlsIncomplete);
            }
            if tls.ca.is_none() {
                return Err(ZooKeeperConfigError::TlsWithoutCa);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ZooKeeperConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZooKeeperConfig")
            .field("members", &self.members)
            .field("folder", &self.folder)
            .field("prefix", &self.prefix)
            .field("user", &self.login.as_ref().map(|login| &login.user))
            .field("tls", &self.tls)
            .field("session_timeout", &self.session_timeout)
            .field("touch_delay", &self.touch_delay)
            .field("connect_timeout", &self.connect_timeout)
            .field("longest_ttl", &self.longest_ttl)
            .finish_non_exhaustive()
    }
}
