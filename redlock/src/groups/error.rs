//! Why groups of nodes cannot be used together.

/// Groups of nodes that cannot be used together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupsError {
    /// There is no group.
    #[error("no group of nodes is given; give at least one")]
    NoGroups,
    /// A group without a name.
    #[error(
        "a group's name is empty; names of groups decide which locks they have, choose one that can stay"
    )]
    EmptyName,
    /// Two groups with one name.
    #[error("the group {name:?} is given twice; every group needs a name of its own")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// Two groups with the same nodes.
    #[error("the groups {first:?} and {second:?} are the same `Locks`; every group needs nodes of its own")]
    SameLocks {
        /// One group.
        first: String,
        /// The other.
        second: String,
    },
    /// Fencing is on in one group and off in another.
    #[error("fencing is on in the group {on:?} and off in {off:?}; it must be the same in all")]
    MixedFencing {
        /// A group where it is on.
        on: String,
        /// A group where it is off.
        off: String,
    },
    /// The group has other nodes after the change than before.
    #[error(
        "the group {name:?} is another `Locks` after the change than before; use clones of one, and give groups of other nodes other names"
    )]
    DifferentLocks {
        /// The group.
        name: String,
    },
    /// What is to be changed is being changed already.
    #[error("these groups are changing already; a change is between two sets of groups that are not")]
    AlreadyChanging,
}
