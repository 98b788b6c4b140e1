//! Until when the locks that this node has created are to be kept: a znode lives as long as the session, a lock for its TTL.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::id::{Instant, LockName, OwnerToken};

/// The locks that this node may have, each noted before it is asked for.
#[derive(Debug, Default)]
pub(super) struct Leases {
    ends: Mutex<Ends>,
    /// An earlier end has come than was told.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Ends {
    of: HashMap<(LockName, OwnerToken), Instant>,
    /// The next one, as it was told.
    told: Option<Instant>,
}

impl Leases {
    /// It is to be kept until then at least.
    pub(super) fn keep(&self, name: &LockName, owner: OwnerToken, until: Instant) {
        let mut ends = self.ends();
        let end = ends.of.entry((name.clone(), owner)).or_insert(until);
        *end = (*end).max(until);
        let is_earlier = ends.told.is_none_or(|told| until < told);
        drop(ends);
        if is_earlier {
            self.changed.notify_one();
        }
    }

    /// It was granted: it is to be kept until then, and no longer.
    pub(super) fn set(&self, name: &LockName, owner: OwnerToken, until: Instant) {
        let mut ends = self.ends();
        ends.of.insert((name.clone(), owner), until);
        let is_earlier = ends.told.is_none_or(|told| until < told);
        drop(ends);
        if is_earlier {
            self.changed.notify_one();
        }
    }

    /// When it is to be ended; `None`: this node does not have it.
    pub(super) fn end(&self, name: &LockName, owner: OwnerToken) -> Option<Instant> {
        self.ends().of.get(&(name.clone(), owner)).copied()
    }

    /// It is certain not to be there.
    pub(super) fn forget(&self, name: &LockName, owner: OwnerToken) {
        self.ends().of.remove(&(name.clone(), owner));
    }

    /// It could not be ended; again at that time.
    pub(super) fn put_off(&self, name: &LockName, owner: OwnerToken, until: Instant) {
        if let Some(end) = self.ends().of.get_mut(&(name.clone(), owner)) {
            *end = (*end).max(until);
        }
    }

    /// Those that have ended, and when the next one does.
    pub(super) fn due(&self, now: Instant) -> (Vec<(LockName, OwnerToken)>, Option<Instant>) {
        let mut ends = self.ends();
        let due = ends.of.iter().filter(|&(_, &end)| end <= now).map(|(key, _)| key.clone()).collect();
        ends.told = ends.of.values().filter(|&&end| end > now).min().copied();
        (due, ends.told)
    }

    /// Completes when something may be due earlier than was said. Cancel safe.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_never_taken_back_and_what_is_due_is_told() {
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        let (leases, name) = (Leases::default(), LockName::new("a").unwrap());
        let (one, two) = (OwnerToken::from_bytes([1; 20]), OwnerToken::from_bytes([2; 20]));
        leases.keep(&name, one, at(20));
        leases.keep(&name, one, at(10));
        leases.keep(&name, two, at(30));
        assert_eq!(leases.due(at(15)), (vec![], Some(at(20))));
        assert_eq!(leases.due(at(20)), (vec![(name.clone(), one)], Some(at(30))));
        leases.put_off(&name, one, at(40));
        leases.forget(&name, two);
        assert_eq!(leases.due(at(30)), (vec![], Some(at(40))));
        assert_eq!(leases.end(&name, two), None);
    }
}
