//! Servers that can be hurt, for clients to keep locks on: of every store that the library knows, as native processes; of Redis,
//! in containers or run by somebody else, too.

mod client;
mod docker;
mod error;
mod etcd;
mod file;
mod members;
mod memcached;
mod open;
mod process;
mod text;
mod urls;
mod zookeeper;

pub use client::ask;
pub use docker::DockerFleet;
pub use error::FleetError;
pub use etcd::EtcdFleet;
pub use file::FileFleet;
pub use memcached::MemcachedFleet;
pub use open::{KINDS, nodes_by_default, open};
pub use process::ProcessFleet;
pub use urls::UrlFleet;
pub use zookeeper::ZooKeeperFleet;

use std::fmt;
use std::io;
use std::time::Duration;

use fred::types::Value;

use crate::network::{Network, Protocol};

/// What the servers of a fleet are to the locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    /// Each is a node of its own, of which the locks need a majority. One that was down has forgotten what it granted, or counts as
    /// one that has, and grants nothing new for a while.
    Nodes,
    /// They are members of one store, the only node of the locks. It works while a majority of them does; one that was down has
    /// what it had, and fetches what it missed from the others.
    Members,
}

/// Servers, and what can be done to them. All are called nodes here, be they the nodes of the locks or the members of one. A fleet
/// that is dropped leaves no process, container, file or key behind.
pub trait Fleet: Send + Sync + fmt::Debug {
    /// One of [`KINDS`], or `urls`.
    fn kind(&self) -> &'static str;

    /// The program of the servers and its version, as far as known.
    fn server(&self) -> String;

    /// What the servers are to the locks.
    fn servers(&self) -> Servers {
        Servers::Nodes
    }

    /// What clients and servers speak; `None`: there is no network between them, and nothing that listens.
    fn protocol(&self) -> Option<Protocol> {
        Some(Protocol::Resp)
    }

    /// The nodes' addresses (`HOST:PORT`, or a path where there is no network), in their order; they stay the same over restarts.
    fn addresses(&self) -> Vec<String>;

    /// The configuration (TOML, as in a user's file) by which a client reaches each node at another address than its own:
    /// a proxy's. The TTLs and whatever else is not about the nodes is the caller's to add under the table of the store,
    /// which comes last in the text.
    fn config(&self, reached_at: &[String]) -> String;

    /// What can be done to the nodes here.
    fn actions(&self) -> Vec<ActionKind>;

    /// Does it, and returns once it is done: a node that was started takes commands.
    ///
    /// # Errors
    /// [`FleetError`] names the node and what went wrong.
    fn act(&self, node: usize, action: Action) -> Result<(), FleetError>;

    /// The keys of locks under this prefix that a node has: all of its keys but the library's own, as the store writes them.
    ///
    /// # Errors
    /// [`FleetError`] if the node does not answer.
    fn lock_keys(&self, node: usize, prefix: &str) -> Result<Vec<String>, FleetError>;

    /// The member that leads the others; waits for one.
    ///
    /// # Errors
    /// [`FleetError`] if none does in time, or the servers are not members of one store.
    fn leader(&self) -> Result<usize, FleetError> {
        Err(text::not_done(
            "the nodes",
            &format!("in a fleet of kind `{}` none leads the others", self.kind()),
        ))
    }

    /// Ends all locks without a word to their holders, as an operator may who knows how they are kept.
    ///
    /// # Errors
    /// [`FleetError`] if it fails, or there is no way to do so here.
    fn end_locks(&self) -> Result<(), FleetError> {
        Err(text::not_done(
            "the nodes",
            &format!("in a fleet of kind `{}` locks are ended by their holders", self.kind()),
        ))
    }

    /// What a node answers to a command of an operator's, who may do everything. Only on servers of our own.
    ///
    /// # Errors
    /// [`FleetError`] if the node does not answer, answers with an error, or is somebody else's.
    fn command(&self, node: usize, _command: &[&str]) -> Result<Value, FleetError> {
        Err(FleetError::Failed {
            node: self.addresses().get(node).cloned().unwrap_or_default(),
            detail: format!("nodes of a {} fleet take no commands of an operator's", self.kind()),
        })
    }
}

/// The ways from so many clients to all nodes of a fleet; none where there is no network.
///
/// # Errors
/// As [`Network::start`].
pub fn ways_to(fleet: &dyn Fleet, clients: usize) -> io::Result<Network> {
    match fleet.protocol() {
        Some(protocol) => Network::start_for(protocol, &fleet.addresses(), clients),
        None => Network::start_for(Protocol::Bytes, &[], clients),
    }
}

/// What is done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL. Without effect on a dead one.
    Kill,
    /// Starts a dead one with whatever files it has.
    Start,
    /// Starts a dead one without any files.
    StartEmpty,
    /// Kills it, and starts it with the files that it had some time ago: what a power loss leaves of an AOF that is not
    /// synced always.
    LosePower,
    /// SIGSTOP: the kernel still takes connections for it.
    Pause,
    /// SIGCONT.
    Resume,
    /// Its keys are gone, and its process goes on.
    Flush,
    /// A replica that lags takes its place, at the same address.
    Promote,
    /// Its wall clock jumps forward.
    ClockForward(Duration),
    /// Its wall clock jumps back.
    ClockBack(Duration),
    /// Its wall clock gains so many millionths from now on; 0 ends that.
    ClockRate(i32),
}

/// An action without its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "as those of `Action`")]
pub enum ActionKind {
    Kill,
    Start,
    StartEmpty,
    LosePower,
    Pause,
    Resume,
    Flush,
    Promote,
    ClockStep,
    ClockRate,
}

impl Action {
    /// Which one it is.
    pub const fn kind(self) -> ActionKind {
        match self {
            Self::Kill => ActionKind::Kill,
            Self::Start => ActionKind::Start,
            Self::StartEmpty => ActionKind::StartEmpty,
            Self::LosePower => ActionKind::LosePower,
            Self::Pause => ActionKind::Pause,
            Self::Resume => ActionKind::Resume,
            Self::Flush => ActionKind::Flush,
            Self::Promote => ActionKind::Promote,
            Self::ClockForward(_) | Self::ClockBack(_) => ActionKind::ClockStep,
            Self::ClockRate(_) => ActionKind::ClockRate,
        }
    }
}
