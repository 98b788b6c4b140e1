//! Locks over several groups of nodes: a name belongs to one of them, by rendezvous hashing.

mod error;
mod rendezvous;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use crate::lock::Lock;
use crate::locks::{Locks, ShutdownReport};

pub use error::GroupsError;
use rendezvous::GroupHash;

/// Locks over several groups of nodes. Every name belongs to one group, so that locks that have nothing to do with each other
/// need not share nodes.
///
/// More nodes in one [`Locks`] tolerate more failures and carry no more locks: every node is asked about every name. Groups carry
/// more: each has nodes of its own, and is asked about its own names alone. A group whose quorum is down keeps its names, and
/// no others, from being locked. Cloning it is cheap.
///
/// ```
/// # #[cfg(feature = "memory")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use redlock::{LockGroups, Locks};
///
/// let (east, west) = (Locks::builder().memory().build().await?, Locks::builder().memory().build().await?);
/// let groups = LockGroups::new([("east", east), ("west", west)])?;
///
/// let guard = groups.lock("invoice:42").acquire().await?;
/// println!("{} holds {}", groups.group_of("invoice:42"), guard.name());
/// guard.release().await?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "memory"))]
/// # fn main() {}
/// ```
///
/// All clients must agree on the groups' names and on the nodes and the prefix of each, as they must agree on the nodes of one
/// [`Locks`]. Build all groups with the same settings. A configuration file describes one [`Locks`]: use one for each group.
///
/// # Which group a name belongs to
/// The one with the highest score (rendezvous hashing). The order in which groups are given does not matter, their names do: choose
/// some that can stay. The hash is the same in every version of this library:
///
/// ```text
/// score(group, name) = mix(fnv1a(name) ^ mix(fnv1a(group)))        all on unsigned 64-bit numbers, wrapping
/// fnv1a(bytes)       = FNV-1a, 64 bits: h = 0xcbf29ce484222325; for each byte: h = (h ^ byte) * 0x100000001b3
/// mix(z)             = SplitMix64: z += 0x9e3779b97f4a7c15; z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
///                                  z = (z ^ z >> 27) * 0x94d049bb133111eb; z ^ z >> 31
/// ```
///
/// `name` is the lock's name without the prefix, `group` the group's in UTF-8. Of equal scores the group whose name sorts first
/// (byte by byte) has it. A name costs one pass over its bytes and a few instructions for each group.
///
/// To test an implementation: `score("a", "invoice:42")` is `0xb173e572d168c10c`, and of these names (in UTF-8) each belongs to
///
/// | name | of the groups `a`, `b`, `c` | of `a`, `b`, `c`, `d` |
/// |---|---|---|
/// | `invoice:1` | `b` | `b` |
/// | `invoice:2` | `c` | `c` |
/// | `invoice:17` | `b` | `d` |
/// | `invoice:21` | `a` | `d` |
/// | `invoice:42` | `a` | `d` |
/// | `Zürich` | `c` | `d` |
///
/// Names are shared out evenly, within chance. There are no weights. The hash has no key: who may choose the names of locks can
/// choose many for one group.
///
/// # Changing the groups
/// A group that is added takes about its share of the names, 1 of n + 1, and no other name moves; one that is removed leaves its own
/// names to the others. But as long as some clients know the old groups and some the new ones, a name that moves would be locked
/// in one group by these and in another by those: **by two holders at once**. Therefore every change goes through a phase in
/// which names that move are locked in both groups, [`LockGroups::changing`]:
///
/// 1. All clients have `LockGroups::new(old)`.
/// 2. Restart the clients one by one with `LockGroups::changing(&old, &new)`. They exclude those of step 1 in the old groups.
/// 3. Wait until **no client of step 1 runs** any more, and then for the longest TTL ([`LocksBuilder::max_ttl`]), so that also what
///    a killed one held has ended. A client that stands still (`SIGSTOP`, a suspended machine) still runs.
/// 4. Restart the clients one by one with `LockGroups::new(new)`. They exclude those of step 2 in the new groups.
/// 5. When no client of step 2 runs, and the longest TTL has passed, nodes of groups that are gone can be switched off.
///
/// The one rule is that clients of steps 1 and 4 never run, nor hold anything, at the same time. Every step can be taken back by
/// going to the step before it, under the same rule. A change may add, remove and exchange any number of groups at once. The nodes
/// within a group are another matter: to exchange those, add a group with another name and remove this one.
///
/// A lock that is held in two groups is held as long as it is valid in both: [`valid_until`](crate::Held::valid_until) is the earlier
/// one, [`lost`](crate::Held::lost) tells of the first loss. It needs a quorum of both groups, is taken in the order of the groups'
/// names, whichever is the old one, so that nobody waits in a circle, and costs a round or two more. What was acquired in the first
/// group is renewed while the second one is waited for.
///
/// **Fencing tokens** go on rising: such a hold's token is the larger of the two groups' counters, and it is held only when a
/// quorum of both groups stores at least that. A name that nobody locks during the whole change goes on with the new group's
/// counter, which follows its nodes' clocks: its tokens rise if more time has passed since its last holder than the clocks of the
/// groups that it has been in differ by, and 2 s.
///
/// [`LocksBuilder::max_ttl`]: crate::LocksBuilder::max_ttl
#[derive(Clone)]
pub struct LockGroups {
    current: Arc<[Group]>,
    /// The groups before the change, while there is one.
    old: Option<Arc<[Group]>>,
}

struct Group {
    name: Box<str>,
    hash: GroupHash,
    locks: Locks,
}

impl LockGroups {
    /// Groups by name, in any order.
    ///
    /// # Errors
    /// [`GroupsError`] for no groups, for names that are empty or given twice, for groups that are clones of one [`Locks`],
    /// and where fencing is on in some groups and off in others.
    pub fn new(groups: impl IntoIterator<Item = (impl Into<String>, Locks)>) -> Result<Self, GroupsError> {
        let group = |(name, locks): (_, Locks)| {
            let name: String = Into::into(name);
            Group { hash: GroupHash::of(&name), name: name.into_boxed_str(), locks }
        };
        let mut groups: Vec<Group> = groups.into_iter().map(group).collect();
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        check(&groups.iter().collect::<Vec<_>>())?;
        Ok(Self { current: groups.into(), old: None })
    }

    /// The groups `new`, on the way there from `old`: a name that moves is locked in both groups that it belongs to, or in none. See
    /// [Changing the groups](LockGroups#changing-the-groups) for the steps to take. Groups that both have must be clones of one
    /// [`Locks`].
    ///
    /// # Errors
    /// [`GroupsError::DifferentLocks`] if they are not, [`GroupsError::AlreadyChanging`] if `old` or `new` is itself a change;
    /// otherwise as [`LockGroups::new`].
    pub fn changing(old: &Self, new: &Self) -> Result<Self, GroupsError> {
        if old.old.is_some() || new.old.is_some() {
            return Err(GroupsError::AlreadyChanging);
        }
        let both = Self { current: Arc::clone(&new.current), old: Some(Arc::clone(&old.current)) };
        for group in old.current.iter() {
            if new.current.iter().any(|same| same.name == group.name && !same.locks.is_same(&group.locks)) {
                return Err(GroupsError::DifferentLocks { name: group.name.to_string() });
            }
        }
        check(&both.all().collect::<Vec<_>>())?;
        Ok(both)
    }

    /// The lock with this name, in the group that it belongs to; as [`Locks::lock`]. Several of them can be acquired together,
    /// also across groups: [`Lock::acquire_all`].
    pub fn lock(&self, name: impl AsRef<[u8]>) -> Lock {
        let name = name.as_ref();
        let (new, old) = self.owners(name);
        match old {
            None => new.locks.lock(name),
            // In one order for all, whichever way the change goes.
            Some(old) if old.name < new.name => old.locks.lock(name).and_in(new.locks.lock(name)),
            Some(old) => new.locks.lock(name).and_in(old.locks.lock(name)),
        }
    }

    /// The group that a name belongs to: during a [change](LockGroups::changing), where it will belong.
    pub fn group_of(&self, name: impl AsRef<[u8]>) -> &str {
        &self.owners(name.as_ref()).0.name
    }

    /// The group that a name leaves in this [change](LockGroups::changing); `None` if it stays where it is.
    pub fn leaves(&self, name: impl AsRef<[u8]>) -> Option<&str> {
        Some(&self.owners(name.as_ref()).1?.name)
    }

    /// All groups by name, in the order of their names: during a [change](LockGroups::changing) the old ones and the new ones.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Locks)> {
        self.all().map(|group| (&*group.name, &group.locks))
    }

    /// As [`Locks::shutdown`], for all groups at once; the report is their sum.
    pub async fn shutdown(&self, patience: Duration) -> ShutdownReport {
        let reports = join_all(self.all().map(|group| group.locks.shutdown(patience))).await;
        let nothing = ShutdownReport { open_guards: 0, unsettled: 0 };
        reports.iter().fold(nothing, |sum, report| ShutdownReport {
            open_guards: sum.open_guards + report.open_guards,
            unsettled: sum.unsettled + report.unsettled,
        })
    }

    /// The same, for code without an async runtime.
    pub fn blocking(&self) -> crate::blocking::LockGroups {
        crate::blocking::LockGroups::new(self.clone())
    }

    /// The group that has the name, and the one that it leaves.
    fn owners(&self, name: &[u8]) -> (&Group, Option<&Group>) {
        let owner = |groups| -> &Group {
            let groups: &[Group] = groups;
            &groups[rendezvous::owner(groups.iter().map(|group| group.hash), name)]
        };
        let new = owner(&self.current);
        (new, self.old.as_deref().map(owner).filter(|old| old.name != new.name))
    }

    /// Each group once, sorted by name.
    fn all(&self) -> impl Iterator<Item = &Group> {
        let old = self.old.as_deref().unwrap_or_default();
        let gone = old.iter().filter(|old| self.current.iter().all(|new| new.name != old.name));
        let mut all: Vec<&Group> = self.current.iter().chain(gone).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.into_iter()
    }
}

impl fmt::Debug for LockGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |groups: &[Group]| groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>();
        let mut debug = f.debug_struct("LockGroups");
        debug.field("groups", &names(&self.current));
        if let Some(old) = &self.old {
            debug.field("old", &names(old));
        }
        debug.finish()
    }
}

/// Whether groups, sorted by name, can be used together.
fn check(groups: &[&Group]) -> Result<(), GroupsError> {
    let Some(first) = groups.first() else { return Err(GroupsError::NoGroups) };
    if first.name.is_empty() {
        return Err(GroupsError::EmptyName);
    }
    if let Some(pair) = groups.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(GroupsError::DuplicateName { name: pair[0].name.to_string() });
    }
    for (index, group) in groups.iter().enumerate() {
        if let Some(same) = groups[..index].iter().find(|earlier| earlier.locks.is_same(&group.locks)) {
            let (first, second) = (same.name.to_string(), group.name.to_string());
            return Err(GroupsError::SameLocks { first, second });
        }
    }
    let has_tokens = |group: &&&Group| group.locks.has_fencing();
    let (on, off) = (groups.iter().find(has_tokens), groups.iter().find(|group| !has_tokens(group)));
    match on.zip(off) {
        Some((on, off)) => {
            Err(GroupsError::MixedFencing { on: on.name.to_string(), off: off.name.to_string() })
        }
        None => Ok(()),
    }
}
