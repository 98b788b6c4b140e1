//! What can keep a scenario from being played.

use std::io;
use std::time::Duration;

use redlock::config::ConfigError;
use redlock::node::NodeError;
use redlock::testing::servers::ServerError;
use redlock::{AcquireError, BuildError, CampaignError, ReleaseError};

use crate::fleet::{ActionKind, FleetError};

/// A scenario could not be played to its end, which says nothing about the lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SceneError {
    /// The fleet would be somebody else's.
    #[error("scenarios stop, flush and overwrite their nodes; expected --fleet process or --fleet docker")]
    Strangers,
    /// The nodes cannot be hurt in that way.
    #[error(
        "{scenario} needs {action:?}, which cannot be done to the nodes of a {fleet} fleet; play it on another one"
    )]
    Unsupported {
        /// Which scenario.
        scenario: &'static str,
        /// What it needs.
        action: ActionKind,
        /// The kind of fleet.
        fleet: &'static str,
    },
    /// Something could not be done to the nodes.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The ways between clients and nodes could not be laid.
    #[error("the ways between clients and nodes cannot be laid: {0}")]
    Network(#[source] io::Error),
    /// The fleet's configuration does not load.
    #[error("the configuration of the fleet does not load: {0}")]
    Config(#[from] ConfigError),
    /// A client could not be built.
    #[error("a client cannot be built: {0}")]
    Build(#[from] BuildError),
    /// A lock that was free was not acquired.
    #[error("a lock that is free was not acquired: {0}")]
    Acquire(#[from] AcquireError),
    /// A candidate that may lead was not given the leadership.
    #[error("a candidate that may lead does not: {0}")]
    Campaign(#[from] CampaignError),
    /// A lock that was held was not released.
    #[error("a lock was not released: {0}")]
    Release(#[from] ReleaseError),
    /// A client's threads could not be started.
    #[error("a client cannot start its threads: {0}")]
    Threads(#[source] io::Error),
    /// A server of a scenario's own failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A node did not answer as it has to.
    #[error("a node did not answer as it has to: {0}")]
    Node(#[from] NodeError),
    /// A client's process did not do its part.
    #[error("a client's process, or the resource that it shares, failed: {0}")]
    Process(#[source] io::Error),
    /// Something that a scenario takes for granted is otherwise.
    #[error("unexpected: {0}")]
    Unexpected(String),
    /// What had to happen first did not happen.
    #[error("not within {limit:?}: {what}; is the machine overloaded?")]
    NotWithin {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// A lock ended before it could be put to the test.
    #[error("the lock ended before {0}: the machine is too slow for this; try again when it has less to do")]
    TooSlow(&'static str),
}
