//! The configuration: a TOML file, or environment variables.
//!
//! A file has one table for each place where locks can be kept, below `[lock]`. A file of the Go framework *due* loads as
//! it is, with the same meaning; where due takes something in silence that would leave a lock unsafe (a duration that does
//! not parse, a certificate without its key, a pause of zero), this is an error here. Other tables of the same file,
//! such as `[log]`, belong to the application and are not looked at.
//!
//! # Tables
//! | table | the locks are kept in |
//! |---|---|
//! | `[lock.redlock]` | independent nodes, of which a majority must grant: Redis masters, or whatever a URL can name |
//! | `[lock.redis]` | one Redis, or one Redis Cluster, as due uses it; or the master that Redis Sentinel names |
//! | `[lock.memcache]` | one memcached, or several among which keys are spread, as due uses them |
//! | `[lock.etcd]` | one etcd ensemble |
//! | `[lock.zookeeper]` | one ZooKeeper ensemble |
//! | `[lock.file]` | a directory on this machine |
//! | `[lock.memory]` | this process alone |
//!
//! `default = "redlock"` in `[lock]` picks the table when there are several; the others are then checked for unknown
//! keys alone. A single table needs no `default`.
//!
//! A table of a backend whose cargo feature (`redis`, `memcached`, `etcd`, `zookeeper`, `file`, `memory`) this program was built
//! without is an error of [`Config::into_builder`].
//!
//! # Keys
//! An unknown key is an error. An empty string means "not set" in `username`, `password`, `caFile`, `certFile`,
//! `keyFile`, `masterName`, `sentinelUsername` and `sentinelPassword`.
//!
//! Every table has:
//!
//! | key | type | default in `[lock.redlock]` | elsewhere | range | meaning |
//! |---|---|---|---|---|---|
//! | `prefix` | string | `"redlock"` | `"due:lock"` | up to 64 bytes for Redis | The key of a lock in the store is `prefix:name`, or `name` where the prefix is empty. |
//! | `expiration` | duration | `"10s"` | `"3s"` | 10 ms to 365 days, at most `maxExpiration` | TTL of a lock that states none. A guard renews it by itself. |
//! | `maxExpiration` | duration | the larger of `expiration` and 30 s | same | 10 ms to 365 days | The longest TTL that is accepted. |
//! | `nodeTimeout` | duration | TTL / 20, within 50 ms and 500 ms; with memcached 3 times that, with etcd or ZooKeeper 4 times, up to TTL / 4 | same | from 1 ms; never more than the TTL is used | How long a node may take to answer. |
//! | `driftFactor` | number | 0.01 | same | 0 to 0.5 | The share of a TTL set aside for clocks that run at different rates; at least twice the rate error of one clock. |
//! | `acquireInterval` | duration | `"20ms"` | same | from 1 ms | About how often a waiting contender asks again where the nodes do not tell it when a lock becomes free. |
//! | `acquireMaxRetries` | integer | 0 | same | up to 4294967295 | How many times a failed attempt is repeated: N retries are N + 1 attempts. 0 or less: without limit. |
//! | `acquireTimeout` | duration | none | same | from 1 ms | How long an acquisition waits. |
//! | `renewLimit` | duration | none | same | from 1 ms | How long a guard is renewed after it was acquired; without it as long as the guard lives. |
//! | `handoff` | integer | 128 | same | 0 to 256 | How many times in a row a lock is handed to the next waiter of this process without asking the stores; 0: never. More is faster for this process' waiters, fewer is fairer to other processes: [`LocksBuilder::handoff`](crate::LocksBuilder::handoff). |
//! | `fencing` | boolean | true | same | | Whether every acquisition brings a fencing token. All clients of a name must agree on it. |
//! | `fencingRetention` | duration | `"10m"` | same | from 1 ms | How long a store keeps a name's fencing counter after its last use. |
//! | `restartGuard` | boolean | true | false | | Whether nodes are kept from granting while they may have forgotten locks that are still held, and while their clocks cannot be trusted: [`LocksBuilder::restart_guard`](crate::LocksBuilder::restart_guard). All clients of a node must agree on it, and on `maxExpiration`. |
//!
//! `[lock.redlock]` and `[lock.redis]` have these besides. In `[lock.redlock]` they hold for every node, except where its
//! URL says otherwise: a URL's database goes before `db`, and a URL that has a user or a password goes before `username` and
//! `password` together.
//!
//! | key | type | default | range | meaning |
//! |---|---|---|---|---|
//! | `db` | integer | 0 | 0 to 4294967295 | The database. |
//! | `username` | string | none | needs `password` | The ACL user; without it Redis' default user. |
//! | `password` | string | none | any | The password. It appears in no error message and in no log. |
//! | `caFile` | string | none | a readable file | Switches TLS on: PEM file of the authorities that may have signed the server's certificate. |
//! | `certFile` | string | none | a readable file, needs `keyFile` | Switches TLS on: PEM file of the client's certificate. |
//! | `keyFile` | string | none | a readable file, needs `certFile` | PEM file of the client's private key. |
//! | `trustAof` | boolean | false | needs `restartGuard` | Whether a Redis with `appendfsync always` before and after a restart counts as one that has forgotten nothing: [`LocksBuilder::trust_aof`](crate::LocksBuilder::trust_aof). |
//!
//! `[lock.redlock]` alone:
//!
//! | key | type | default | range | meaning |
//! |---|---|---|---|---|
//! | `nodes` | array of strings | none | 1 to 63, all different | Redis masters: `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS, or `host:port`. The port is 6379 by default. With `caFile` or `certFile`, `host:port` has TLS and `redis://` is an error; `rediss://` without them trusts the system's roots. Other stores: `memcached://host[:port]`, `etcd://host[:port],...`, `zookeeper://host[:port],...`, `file:///directory`; of this table's own keys only `prefix` and `nodeSet` hold for them. |
//! | `nodeSet` | integer | 0 | from 0 | Which of several lists of `nodes`, one after the other, this is: goes up by one when a node is added or removed while locks are held ([`LocksBuilder::change_nodes`](crate::LocksBuilder::change_nodes)). |
//!
//! `[lock.redis]` alone:
//!
//! | key | type | default | range | meaning |
//! |---|---|---|---|---|
//! | `addrs` | array of strings | `["127.0.0.1:6379"]` | at least one, all different | `host:port`. Several are members of a Redis Cluster: `db` is ignored, and `restartGuard` cannot be on; independent masters belong into `[lock.redlock]`. With `masterName` they are the sentinels. |
//! | `masterName` | string | none | letters, digits, `.`, `-`, `_`; needs `addrs` | The master's name in the sentinels' configuration (`sentinel monitor NAME ...`). |
//! | `sentinelUsername` | string | none | needs `masterName` | The ACL user at the sentinels. |
//! | `sentinelPassword` | string | none | needs `masterName` | The password at the sentinels. It appears in no error message and in no log. |
//! | `maxRetries` | integer | none | any | Accepted for due's sake, without effect. It is the number of times that the *client* repeats a command; ours never does, for a repeated acquire could meet its own first copy. |
//!
//! `[lock.memcache]` and `[lock.etcd]` have these:
//!
//! | key | type | default | range | meaning |
//! |---|---|---|---|---|
//! | `addrs` | array of strings | `["127.0.0.1:11211"]`, `["127.0.0.1:2379"]` | at least one, all different | `host:port`. Several memcached servers share the keys among them: CRC-32 of the key modulo their number, so that their order matters; `restartGuard` cannot be on then. Several members of etcd are ways into one ensemble. |
//! | `username`, `password` | string | none | both or none | The login. The password appears in no error message and in no log. |
//! | `caFile`, `certFile`, `keyFile` | string | none | readable files; `certFile` and `keyFile` together | As for Redis: one of them switches TLS on. |
//!
//! `[lock.zookeeper]` alone:
//!
//! | key | type | default | range | meaning |
//! |---|---|---|---|---|
//! | `addrs` | array of strings | `["127.0.0.1:2181"]` | at least one, all different | Members of the ensemble, `host[:port]`. |
//! | `username`, `password` | string | none | both or neither | Digest authentication; the znodes then belong to this user alone. |
//! | `caFile` | string | none | a readable file | Switches TLS on: PEM file of the authorities to trust. |
//! | `certFile`, `keyFile` | string | none | readable files, both or neither, with `caFile` | PEM files of the client's certificate and its private key. |
//! | `sessionTimeout` | duration | `maxExpiration` + 2 x `touchDelay` | 10 ms to 24 days | The session timeout to ask for: the locks of a crashed client are free after it. Locks can be 1.5 x `touchDelay` shorter than it at most. |
//! | `touchDelay` | duration | `"12s"` | from 10 ms | How long a sign of life may take to the leader: more than the servers' `tickTime` x (`syncLimit` + 1/2). |
//!
//! `[lock.file]` alone:
//!
//! | key | type | default | range | meaning |
//! |---|---|---|---|---|
//! | `directory` | string | none | a path, not on a network file system | Where the locks are. A relative path begins in the folder of the configuration file. It is created, for its user alone, when it is not there. |
//!
//! A Cluster and a master behind Sentinel replicate asynchronously: a failover can lose a lock that was granted. See
//! `RedisConfig::cluster` and `RedisConfig::sentinel`.
//!
//! A **duration** is a string of one or more decimal numbers, each with a unit: `"500ms"`, `"1.5s"`, `"1m30s"`. Units are
//! ns, us (or µs), ms, s, m, h and d. A bare integer is nanoseconds, as in due.
//!
//! A **file** whose path is relative is looked for from the folder of the configuration file, not from the
//! working directory of the process.
//!
//! # Environment
//! | variable | meaning |
//! |---|---|
//! | `REDLOCK_CONFIG` | The path of a configuration file. |
//! | `REDLOCK_NODE_SET` | `nodeSet`, beside `REDLOCK_NODES`. |
//! | `REDLOCK_NODES` | URLs as in `nodes`, separated by commas or spaces; all else as `[lock.redlock]` has it by default. What follows an `etcd://` or `zookeeper://` URL behind a comma and has no scheme is another member of that ensemble. A comma or space within a password is percent-encoded. |
//!
//! Both at once are an error, and so is one that is set but empty.
//!
//! # Example
//! ```
//! use std::path::Path;
//!
//! let text = r#"
//! [lock]
//!     default = "redlock"
//!
//! [lock.redlock]
//!     nodes = [
//!         "redis://10.0.0.1:6379",
//!         "redis://10.0.0.2:6379",
//!         "redis://10.0.0.3:6379/1",
//!         "redis://lock:s3cret@10.0.0.4:6379",
//!         "10.0.0.5:6379",
//!     ]
//!     db = 0
//!     username = ""
//!     password = ""
//!     ## Relative to this file. With one of them, write rediss:// above.
//!     caFile = ""
//!     certFile = ""
//!     keyFile = ""
//!     prefix = "redlock"
//!     expiration = "10s"
//!     maxExpiration = "30s"
//!     nodeTimeout = "500ms"
//!     driftFactor = 0.01
//!     acquireInterval = "20ms"
//!     acquireMaxRetries = 0
//!     acquireTimeout = "1m30s"
//!     renewLimit = "1h"
//!     handoff = 64
//!     fencing = true
//!     fencingRetention = "10m"
//!     restartGuard = true
//!     trustAof = false
//!
//! [lock.redis]
//!     addrs = ["127.0.0.1:6379"]
//!     maxRetries = 3
//!     expiration = "3s"
//!
//! [lock.memory]
//!     prefix = ""
//! "#;
//! let config = redlock::config::Config::from_toml_str(text, Path::new("etc/etc.toml"))?;
//!
//! let error = redlock::config::Config::from_toml_str(
//!     "[lock.redis]\nexpiration = \"3 parsecs\"",
//!     Path::new("etc.toml"),
//! )
//! .unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "etc.toml:2: [lock.redis] expiration = \"3 parsecs\": \
//!      expected a duration such as \"3s\" or \"500ms\" (units ns, us, ms, s, m, h, d)",
//! );
//! # Ok::<(), redlock::config::ConfigError>(())
//! ```

mod document;
mod duration;
mod environment;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "memcached")]
mod memcache;
#[cfg(feature = "redis")]
mod redis;
mod start;
mod store;
mod timing;
#[cfg(any(feature = "redis", feature = "memcached", feature = "etcd"))]
mod tls;
mod unknown;
#[cfg(feature = "zookeeper")]
mod zookeeper;

use std::path::Path;

use document::{Document, Table};
pub use error::{ConfigError, ConfigErrorKind};
use store::Backend;

use crate::builder::NodeConfig;
use crate::settings::Settings;

/// A configuration that has been read and checked: where the locks are kept, and how they are acquired.
///
/// Nothing has been connected to. `Debug` shows no password.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub(crate) nodes: Vec<NodeConfig>,
    pub(crate) settings: Settings,
}

impl Config {
    /// Reads a file. Blocks the thread while it reads.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be read, or anything in it is not as the [module](self) says.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let origin = path.display().to_string();
            ConfigError::new(ConfigErrorKind::Unreadable, &origin, format!("cannot read the file: {error}"))
        })?;
        Self::from_toml_str(&text, path)
    }

    /// Reads the text of a file. `origin` is that file's path: error messages name it, and relative paths in the text
    /// begin in its folder. It need not exist. Blocks the thread while the TLS files are checked.
    ///
    /// # Errors
    /// [`ConfigError`] if anything in it is not as the [module](self) says.
    pub fn from_toml_str(text: &str, origin: &Path) -> Result<Self, ConfigError> {
        let folder = origin.parent().unwrap_or(Path::new(""));
        let origin = origin.display().to_string();
        let document = Document { origin: &origin, text };
        let entries = document.parse()?;
        let Some(lock) = Table::top(&document, &entries, "lock")? else {
            let problem = format!("there is no table [lock]; expected one of {}", unknown::tables());
            return Err(document.error(ConfigErrorKind::NoBackend, problem));
        };
        let (backend, table) = choose(&lock, tables(&lock)?)?;
        Ok(Self { settings: timing::read(&table, backend)?, nodes: store::read(&table, backend, folder)? })
    }

    /// Reads a list of nodes as `REDLOCK_NODES` has it. `origin` is where it was given, such as the name of an option: error
    /// messages name it, and no URL.
    ///
    /// # Errors
    /// [`ConfigError`] if it is not as the [module](self) says.
    pub fn from_nodes(list: &str, origin: &str) -> Result<Self, ConfigError> {
        environment::from_nodes(list, origin)
    }

    /// Reads what `REDLOCK_CONFIG` or `REDLOCK_NODES` says; `None` if neither is set. Blocks the thread while it reads a
    /// file.
    ///
    /// # Errors
    /// [`ConfigError`] if both are set, one is empty, or it is not as the [module](self) says.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        environment::load(|name| std::env::var_os(name))
    }
}

/// The tables of `[lock]`, none of which has a key that it should not have.
fn tables<'t>(lock: &'t Table<'_>) -> Result<Vec<(Backend, Table<'t>)>, ConfigError> {
    let mut tables = Vec::new();
    for entry in lock.entries() {
        match Backend::from_name(entry.key) {
            Some(backend) => {
                let table = entry.table()?;
                unknown::refuse_keys(&table, backend)?;
                tables.push((backend, table));
            }
            None if entry.key == "default" => {}
            None if entry.is_table() => return Err(unknown::table(&entry)),
            None => return Err(unknown::key(&entry, &["default"])),
        }
    }
    Ok(tables)
}

/// The table that `default` names, or the only one.
fn choose<'t>(
    lock: &Table<'_>,
    mut tables: Vec<(Backend, Table<'t>)>,
) -> Result<(Backend, Table<'t>), ConfigError> {
    let names: Vec<_> = tables.iter().map(|(backend, _)| format!("[lock.{}]", backend.name())).collect();
    if let Some(entry) = lock.get("default") {
        let name = entry.text()?;
        let chosen = tables.into_iter().find(|(backend, _)| backend.name() == name);
        return chosen.ok_or_else(|| match (Backend::from_name(name), names.as_slice()) {
            (None, _) => entry.invalid(format!("there is no such table; known are {}", unknown::tables())),
            (Some(_), []) => entry.invalid(format!("there is no table [lock.{name}]")),
            (Some(_), _) => {
                entry.invalid(format!("there is no table [lock.{name}], only {}", names.join(", ")))
            }
        });
    }
    match (tables.pop(), tables.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(lock.error(
            ConfigErrorKind::NoBackend,
            format!("there is no table of a backend; expected one of {}", unknown::tables()),
        )),
        (Some((backend, _)), false) => Err(lock.error(
            ConfigErrorKind::SeveralBackends,
            format!("there are {}; pick one with default = \"{}\"", names.join(" and "), backend.name()),
        )),
    }
}

#[cfg(feature = "redis")]
#[cfg(test)]
mod tests;
