//! Where the locks are kept: one kind of table for each backend.

use std::path::Path;

use super::address::{Address, NodeUrl};
use super::document::Table;
use super::error::{ConfigError, ConfigErrorKind};
use super::nodes::{self, NodesError};
use super::secret::Password;
use super::tls::TlsFiles;

/// A table that `[lock]` may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Redlock,
    Redis,
    Memory,
}

impl Backend {
    pub(super) const ALL: [Self; 3] = [Self::Redlock, Self::Redis, Self::Memory];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Redlock => "redlock",
            Self::Redis => "redis",
            Self::Memory => "memory",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// The keys of its table besides those that every table has.
    pub(super) const fn own_keys(self) -> &'static [&'static str] {
        match self {
            Self::Redlock => &["nodes", "db", "username", "password", "caFile", "certFile", "keyFile"],
            Self::Redis => {
                &["addrs", "db", "username", "password", "caFile", "certFile", "keyFile", "maxRetries"]
            }
            Self::Memory => &[],
        }
    }

    const fn default_prefix(self) -> &'static str {
        match self {
            Self::Redlock => "redlock",
            // As due has it.
            Self::Redis | Self::Memory => "due:lock",
        }
    }
}

/// Where the locks are kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Store {
    /// Independent Redis masters, at least one.
    Redlock { nodes: Vec<NodeUrl>, access: RedisAccess },
    /// One Redis, as due uses it.
    Redis { address: Address, access: RedisAccess },
    /// A table in this process. Its names need no prefix: nobody else sees them.
    Memory,
}

/// How to use every Redis of a table. What a node's URL says itself goes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RedisAccess {
    pub(crate) db: u8,
    pub(crate) credentials: Option<Credentials>,
    /// Stands before every name with a colon, unless it is empty.
    pub(crate) prefix: String,
    /// TLS with these files. Without them a node has TLS only if its URL is `rediss://`: with the system's roots.
    pub(crate) tls: Option<TlsFiles>,
}

/// What to log in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The ACL user; `None`: Redis' default user.
    pub(crate) username: Option<String>,
    pub(crate) password: Password,
}

impl Store {
    /// Reads the table of `backend`. Relative paths of files begin in `folder`.
    pub(super) fn read(table: &Table<'_>, backend: Backend, folder: &Path) -> Result<Self, ConfigError> {
        let prefix = match table.get("prefix") {
            Some(entry) => entry.text()?.to_owned(),
            None => backend.default_prefix().to_owned(),
        };
        Ok(match backend {
            Backend::Redlock => {
                let access = RedisAccess::read(table, prefix, folder)?;
                Self::Redlock { nodes: nodes::read(table, &access)?, access }
            }
            Backend::Redis => {
                // The client's own retries, as due has them; ours are off, for a request that is repeated behind the
                // lock's back may find the lock taken by its own first copy. Checked, and without effect.
                table.get("maxRetries").map(|entry| entry.integer()).transpose()?;
                Self::Redis {
                    access: RedisAccess::read(table, prefix, folder)?,
                    address: read_address(table)?,
                }
            }
            Backend::Memory => Self::Memory,
        })
    }

    /// Independent masters from URLs alone, with the defaults of `[lock.redlock]`.
    pub(super) fn from_urls(urls: &[&str]) -> Result<Self, NodesError> {
        let access = RedisAccess {
            db: 0,
            credentials: None,
            prefix: Backend::Redlock.default_prefix().to_owned(),
            tls: None,
        };
        Ok(Self::Redlock { nodes: nodes::parse(urls.iter().copied(), &access)?, access })
    }
}

impl RedisAccess {
    fn read(table: &Table<'_>, prefix: String, folder: &Path) -> Result<Self, ConfigError> {
        let db = match table.get("db") {
            None => 0,
            Some(entry) => u8::try_from(entry.integer()?)
                .map_err(|_| entry.invalid("expected the number of a database, 0 to 255"))?,
        };
        Ok(Self { db, credentials: Credentials::read(table)?, prefix, tls: TlsFiles::read(table, folder)? })
    }
}

impl Credentials {
    fn read(table: &Table<'_>) -> Result<Option<Self>, ConfigError> {
        match (table.filled("username")?, table.filled("password")?) {
            (None, None) => Ok(None),
            (Some((entry, _)), None) => Err(entry.error(
                ConfigErrorKind::Incomplete,
                "there is a username but no password, so that nobody would be logged in; give both \
                 (a user without a password, nopass, accepts any)",
            )),
            (username, Some((_, password))) => Ok(Some(Self {
                username: username.map(|(_, username)| username.to_owned()),
                password: Password::new(password),
            })),
        }
    }
}

/// The one address of `[lock.redis]`.
fn read_address(table: &Table<'_>) -> Result<Address, ConfigError> {
    let Some(entry) = table.get("addrs") else {
        return Ok(Address { host: "127.0.0.1".to_owned(), port: Address::DEFAULT_PORT });
    };
    match entry.texts()?.as_slice() {
        [] => Err(entry.error(
            ConfigErrorKind::InvalidValue,
            "there are no addresses; expected one, such as [\"127.0.0.1:6379\"]",
        )),
        &[(text, line)] => Address::parse(text).map_err(|problem| {
            let problem = match text.contains("://") {
                true => {
                    "expected host:port; a URL belongs into [lock.redlock]: nodes = [\"redis://...\"]".to_owned()
                }
                false => problem.to_string(),
            };
            entry.error(ConfigErrorKind::InvalidValue, problem).on_line(line)
        }),
        several => Err(entry.error(
            ConfigErrorKind::ClusterUnsupported,
            format!(
                "{} addresses mean a Redis Cluster, which is not supported yet; \
                 give one address, or, if they are independent masters, list them in [lock.redlock]: nodes = [...]",
                several.len()
            ),
        )),
    }
}
