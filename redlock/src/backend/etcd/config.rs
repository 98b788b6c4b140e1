//! How to reach an ensemble: plain data.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::address::Address;
use super::url;
pub use crate::node::tls_files::TlsFiles;

/// One etcd ensemble: some of its members, who we are there, and what our keys begin with.
///
/// ```
/// # use redlock::backend::etcd::EtcdConfig;
/// # fn main() -> Result<(), redlock::backend::etcd::EtcdConfigError> {
/// let config = EtcdConfig::from_url("etcd://locker:s3cret@10.0.0.1,10.0.0.2,10.0.0.3:2479")?.prefix("billing");
/// assert_eq!(config.address(), "10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2479");
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct EtcdConfig {
    pub(super) endpoints: Vec<Address>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) prefix: String,
    pub(super) tls: Option<TlsFiles>,
    pub(super) connect_timeout: Duration,
}

impl EtcdConfig {
    /// The longest prefix, in bytes.
    pub const MAX_PREFIX: usize = 64;
    /// The prefix unless another is set.
    pub const DEFAULT_PREFIX: &'static str = "redlock";
    /// The port unless another is set.
    pub const DEFAULT_PORT: u16 = 2379;
    /// How long a connection attempt may take unless another time is set.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

    /// An ensemble by some of its members, each `host[:port]`, with defaults for everything else. Give all of them: a
    /// member that is not named is not asked when the others fail. No network is used.
    ///
    /// # Errors
    /// [`EtcdConfigError`] if there is none, one is given twice, or one is no address.
    pub fn new(endpoints: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, EtcdConfigError> {
        let mut addresses: Vec<Address> = Vec::new();
        for (index, text) in endpoints.into_iter().enumerate() {
            let number = index + 1;
            let address = Address::parse(text.as_ref()).ok_or(EtcdConfigError::Endpoint { number })?;
            if addresses.contains(&address) {
                return Err(EtcdConfigError::Duplicate { number });
            }
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(EtcdConfigError::NoEndpoints);
        }
        Ok(Self {
            endpoints: addresses,
            username: None,
            password: None,
            prefix: Self::DEFAULT_PREFIX.to_owned(),
            tls: None,
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
        })
    }

    /// Reads `etcd://[user:password@]host[:port],host2[:port]...`; `etcds://` for TLS, with the platform's roots unless
    /// [`tls`](Self::tls) says otherwise. User and password are percent-decoded.
    ///
    /// # Errors
    /// [`EtcdConfigError`]; it never repeats the URL, which may hold a password.
    pub fn from_url(url: &str) -> Result<Self, EtcdConfigError> {
        url::parse(url)
    }

    /// The keys of locks are `prefix:name`, or `name` where it is empty. At most [`MAX_PREFIX`](Self::MAX_PREFIX) bytes.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// The user to log in as. Needs a password.
    #[must_use]
    pub fn username(self, username: impl Into<String>) -> Self {
        Self { username: Some(username.into()), ..self }
    }

    /// The user's password. It appears in no error message and in no log.
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self }
    }

    /// Speaks TLS, with these files. Needs the cargo feature `tls`.
    #[must_use]
    pub fn tls(self, files: TlsFiles) -> Self {
        Self { tls: Some(files), ..self }
    }

    /// How long a connection attempt may take, logging in included; [`DEFAULT_CONNECT_TIMEOUT`](Self::DEFAULT_CONNECT_TIMEOUT)
    /// unless set, not zero.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self { connect_timeout: limit, ..self }
    }

    /// What people call this node: `host:port,...`, the members that were given; never credentials.
    pub fn address(&self) -> String {
        self.endpoints.iter().map(Address::to_string).collect::<Vec<_>>().join(",")
    }

    /// Checks what the setters could not.
    pub(crate) fn validate(&self) -> Result<(), EtcdConfigError> {
        if self.prefix.len() > Self::MAX_PREFIX {
            return Err(EtcdConfigError::PrefixTooLong { len: self.prefix.len() });
        }
        if self.username.is_some() != self.password.is_some() {
            return Err(EtcdConfigError::LoginIncomplete);
        }
        if self.connect_timeout.is_zero() {
            return Err(EtcdConfigError::ZeroConnectTimeout);
        }
        Ok(())
    }
}

impl fmt::Debug for EtcdConfig {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdConfig")
            .field("address", &self.address())
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "secret"))
            .field("prefix", &self.prefix)
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

/// What is wrong with an [`EtcdConfig`]. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdConfigError {
    /// It does not begin with a scheme of etcd.
    #[error("expected a URL such as etcd://host:2379,host2:2379, or etcds:// for TLS")]
    Scheme,
    /// The URL has something behind the endpoints.
    #[error(
        "the URL has a {part}; expected etcd://[user:password@]host[:port],... alone (percent-encode what stands in a password)"
    )]
    Trailing {
        /// What it has.
        part: &'static str,
    },
    /// The URL has a character that no URL has.
    #[error("the URL has a control character")]
    ControlCharacter,
    /// Percent-encoding that is not UTF-8.
    #[error("the {part} in the URL is not UTF-8 once it is percent-decoded")]
    Encoding {
        /// Of what.
        part: &'static str,
    },
    /// There is no endpoint.
    #[error("there is no endpoint; expected at least one host[:port]")]
    NoEndpoints,
    /// One is no address.
    #[error(
        "endpoint {number} is none; expected host, host:port or [IPv6]:port, several of them separated by commas"
    )]
    Endpoint {
        /// Which one, from 1.
        number: usize,
    },
    /// One stands there twice.
    #[error("endpoint {number} was given before; expected each member once")]
    Duplicate {
        /// Which one, from 1.
        number: usize,
    },
    /// A user without a password, or the other way round.
    #[error("user and password belong together; give both, or none")]
    LoginIncomplete,
    /// The prefix is longer than [`EtcdConfig::MAX_PREFIX`].
    #[error("the prefix has {len} bytes; at most {} are allowed", EtcdConfig::MAX_PREFIX)]
    PrefixTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// No connection can be made in no time.
    #[error("a connect timeout of zero lets no connection succeed; give at least some milliseconds")]
    ZeroConnectTimeout,
    /// TLS is asked for, and not there.
    #[error(
        "TLS is configured, but this program was built without the cargo feature `tls` of redlock-quorum"
    )]
    TlsNotBuilt,
    /// A certificate without its key, or the other way round.
    #[error("a client {given} is set but no {missing}; a client certificate needs both")]
    TlsIncomplete {
        /// What is there.
        given: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// A file that cannot be used.
    #[error("cannot use {} as PEM file of {expected}: {reason}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// Why not.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
}
