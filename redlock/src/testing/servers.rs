//! Real servers on free ports of this machine, one fixture for demo, tests and benchmarks.
//!
//! A server lives as long as its value: dropping it kills the process, also a stopped one, and removes its directory.
//! It does not outlive the program that started it either, however that one ends. All calls block for a moment;
//! none of them needs a runtime. Servers listen on loopback only.
//!
//! [`RedisServer::url`] logs in as an ACL user with the rights that the library documents, so that whatever works on such a
//! server works under that rule; [`RedisServer::admin_url`] is the default user, who may do everything.
//!
//! ```no_run
//! use redlock::testing::servers::{RedisFleet, ServerError};
//!
//! # fn main() -> Result<(), ServerError> {
//! let fleet = RedisFleet::start(5)?;
//! fleet.server(0).kill();
//! fleet.server(1).pause()?;
//! println!("{:?}", fleet.urls());
//! # Ok(())
//! # }
//! ```

mod clock;
mod cluster;
mod error;
mod etcd;
mod fleet;
mod home;
mod lock_user;
mod memcached;
mod options;
mod port;
mod process;
mod program;
mod redis;
mod replica;
mod resp;
mod sentinel;
mod zookeeper;

pub use clock::ClockStep;
pub use cluster::RedisCluster;
pub use error::ServerError;
pub use etcd::{EtcdEnsemble, EtcdMember, EtcdOptions};
pub use fleet::RedisFleet;
pub use memcached::{MemcachedOptions, MemcachedServer};
pub use options::{RedisOptions, TlsFiles};
pub use port::free as free_port;
pub use program::{memcached as memcached_program, redis as redis_program, redis_is_installed};
pub use redis::RedisServer;
pub use resp::Reply;
pub use sentinel::RedisSentinels;
pub use zookeeper::{ZooKeeperEnsemble, ZooKeeperMember, ZooKeeperOptions, zookeeper_is_installed};
