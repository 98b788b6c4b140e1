//! The leases that this process has asked for on behalf of owners, until they are known to be gone.
//!
//! A lock is a key on a lease. Which lease that is changes with every extension, and a request that was given up may
//! still put the key on the lease that it was made for. So all leases of an owner are remembered: those that no lock
//! can be on any more are revoked, and a release can tell whether anything can still take effect.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::id::{Instant, LockName, OwnerToken};

/// A lease, and when it ends at the earliest: counted from before it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) id: i64,
    pub(super) ends: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Leases {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    owners: HashMap<(LockName, OwnerToken), Owned>,
    /// So many owners, and those whose leases have ended are thrown out.
    sweep_at: usize,
}

#[derive(Debug, Default)]
struct Owned {
    /// The one that the lock is on, as far as is known.
    current: Option<Lease>,
    /// The lock may still come to be on one of these, or they are being revoked.
    others: Vec<Lease>,
}

/// Below this number of owners nothing is swept.
const SMALLEST_SWEEP: usize = 256;
/// So long after their earliest end leases are remembered: an election prolongs them.
const SLACK: Duration = Duration::from_secs(60);

impl Leases {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease that the owner's lock is on, as far as is known here.
    pub(super) fn current(&self, name: &LockName, owner: &OwnerToken) -> Option<Lease> {
        self.table().owners.get(&(name.clone(), *owner))?.current
    }

    /// A lease is about to be asked for.
    pub(super) fn begun(&self, name: &LockName, owner: &OwnerToken, lease: Lease, now: Instant) {
        let mut table = self.table();
        table.make_room(now);
        table.owners.entry((name.clone(), *owner)).or_default().others.push(lease);
    }

    /// The lock is on this lease, and cannot come to be on an earlier one; returns those, to be revoked.
    pub(super) fn attached(&self, name: &LockName, owner: &OwnerToken, lease: Lease) -> Vec<i64> {
        let mut table = self.table();
        let owned = table.owners.entry((name.clone(), *owner)).or_default();
        owned.others.retain(|other| other.id != lease.id);
        let before = owned.current.replace(lease).filter(|before| before.id != lease.id);
        owned.others.extend(before);
        owned.others.iter().map(|other| other.id).collect()
    }

    /// The lock was found on this lease, which nothing is known of here.
    pub(super) fn found(&self, name: &LockName, owner: &OwnerToken, lease: Lease, now: Instant) {
        let mut table = self.table();
        table.make_room(now);
        let owned = table.owners.entry((name.clone(), *owner)).or_default();
        owned.others.retain(|other| other.id != lease.id);
        let before = owned.current.replace(lease).filter(|before| before.id != lease.id);
        owned.others.extend(before);
    }

    /// The lock is not on the lease that was thought to be current.
    pub(super) fn doubt(&self, name: &LockName, owner: &OwnerToken) {
        if let Some(owned) = self.table().owners.get_mut(&(name.clone(), *owner)) {
            owned.others.extend(owned.current.take());
        }
    }

    /// All leases of an owner that has released.
    pub(super) fn released(&self, name: &LockName, owner: &OwnerToken) -> Vec<i64> {
        self.doubt(name, owner);
        let table = self.table();
        let owned = table.owners.get(&(name.clone(), *owner));
        owned.map(|owned| owned.others.iter().map(|other| other.id).collect()).unwrap_or_default()
    }

    /// A lease is gone.
    pub(super) fn ended(&self, name: &LockName, owner: &OwnerToken, id: i64) {
        let mut table = self.table();
        let key = (name.clone(), *owner);
        let Some(owned) = table.owners.get_mut(&key) else { return };
        owned.others.retain(|other| other.id != id);
        owned.current = owned.current.filter(|current| current.id != id);
        if owned.current.is_none() && owned.others.is_empty() {
            table.owners.remove(&key);
        }
    }
}

impl Table {
    /// Throws out what has ended, once the table has doubled since the last time: constant work per owner.
    fn make_room(&mut self, now: Instant) {
        if self.owners.len() < self.sweep_at.max(SMALLEST_SWEEP) {
            return;
        }
        let lasts = |lease: &Lease| now < lease.ends.saturating_add(SLACK);
        self.owners.retain(|_, owned| owned.current.iter().chain(&owned.others).any(lasts));
        self.sweep_at = self.owners.len().saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn lease(id: i64) -> Lease {
        Lease { id, ends: at(10) }
    }

    #[test]
    fn all_leases_of_an_owner_are_known_until_each_is_gone() {
        let (leases, name, owner) =
            (Leases::default(), LockName::new("a").unwrap(), OwnerToken::from_bytes([1; 20]));
        leases.begun(&name, &owner, lease(1), at(0));
        assert_eq!(leases.current(&name, &owner), None);
        assert_eq!(leases.attached(&name, &owner, lease(1)), []);
        leases.begun(&name, &owner, lease(2), at(0));
        assert_eq!(leases.attached(&name, &owner, lease(2)), [1]);
        assert_eq!(leases.current(&name, &owner), Some(lease(2)));
        leases.ended(&name, &owner, 1);
        leases.begun(&name, &owner, lease(3), at(0));
        assert_eq!(leases.released(&name, &owner), [3, 2]);
        assert_eq!(leases.current(&name, &owner), None);
        leases.ended(&name, &owner, 3);
        leases.ended(&name, &owner, 2);
        assert!(leases.table().owners.is_empty());
    }

    #[test]
    fn those_that_have_ended_by_themselves_are_thrown_out() {
        let (leases, name) = (Leases::default(), LockName::new("a").unwrap());
        for n in 0..200 {
            leases.begun(&name, &OwnerToken::from_bytes([n; 20]), lease(1), at(0));
        }
        for n in 0..200 {
            leases.begun(&name, &OwnerToken::from_bytes([n; 20]), Lease { id: 2, ends: at(200) }, at(100));
        }
        for n in 0..100 {
            let other = LockName::new("b").unwrap();
            leases.begun(&other, &OwnerToken::from_bytes([n; 20]), lease(3), at(1_000));
        }
        assert!(leases.table().owners.len() <= 100, "{}", leases.table().owners.len());
    }
}
