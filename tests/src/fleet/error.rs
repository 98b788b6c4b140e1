//! What can go wrong with a fleet.

use super::Action;

/// Something could not be done to a fleet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// This kind of fleet cannot do that.
    #[error("{fleet}: {action:?} cannot be done to such nodes")]
    Unsupported {
        /// The kind of fleet.
        fleet: &'static str,
        /// What was asked for.
        action: Action,
    },
    /// It was tried, and failed.
    #[error("{node}: {detail}")]
    Failed {
        /// The node's address, or the fleet where it is none's.
        node: String,
        /// What went wrong, and what to do about it.
        detail: String,
    },
    /// This program was built without the backend that such nodes need.
    #[error("this command was built without {feature}: build it with `--features {feature}`{hint}")]
    NotBuilt {
        /// The cargo feature.
        feature: &'static str,
        /// What that needs besides.
        hint: &'static str,
    },
    /// There is no Docker engine here.
    #[error(
        "no Docker engine answers: {detail}; install docker.io and start dockerd, or use --fleet process"
    )]
    NoDocker {
        /// What asking it came to.
        detail: String,
    },
}
