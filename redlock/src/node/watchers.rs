//! Who waits in this process for a change of something on a node.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The keys that somebody watches. It is as large as the number of those who wait; they are told in the order in which
/// they began to wait, so that a simulation repeats itself.
#[derive(Debug)]
pub(crate) struct Watchers<K> {
    table: Mutex<BTreeMap<K, Watched>>,
}

#[derive(Debug, Default)]
struct Watched {
    by: usize,
    changes: Arc<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    /// How many there have been.
    count: AtomicU64,
    told: Notify,
}

impl Changes {
    fn tell(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.told.notify_waiters();
    }
}

impl<K> Default for Watchers<K> {
    fn default() -> Self {
        Self { table: Mutex::default() }
    }
}

impl<K: Clone + Ord> Watchers<K> {
    fn table(&self) -> MutexGuard<'_, BTreeMap<K, Watched>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches `key` until the watcher is dropped.
    pub(crate) fn watch(self: &Arc<Self>, key: K) -> Watcher<K> {
        let changes = {
            let mut table = self.table();
            let watched = table.entry(key.clone()).or_default();
            watched.by += 1;
            Arc::clone(&watched.changes)
        };
        let seen = changes.count.load(Ordering::SeqCst);
        Watcher { watchers: Arc::clone(self), key, changes, seen }
    }

    /// Tells those who watch `key` that it has changed.
    pub(crate) fn tell<Q: ?Sized + Ord>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(watched) = self.table().get(key) {
            watched.changes.tell();
        }
    }

    /// Tells everybody: what has changed is not known.
    pub(crate) fn tell_all(&self) {
        self.table().values().for_each(|watched| watched.changes.tell());
    }
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Watcher<K: Clone + Ord> {
    watchers: Arc<Watchers<K>>,
    key: K,
    changes: Arc<Changes>,
    /// So many changes are known.
    seen: u64,
}

impl<K: Clone + Ord> Watcher<K> {
    /// From now on; what changed before has been seen.
    pub(crate) fn look_anew(&mut self) {
        self.seen = self.changes.count.load(Ordering::SeqCst);
    }

    /// Completes when the key has changed since [`Watcher::look_anew`]. Cancel safe.
    pub(crate) async fn changed(&self) {
        // Made before the count is read, so that a change in between is not missed.
        let told = self.changes.told.notified();
        if self.changes.count.load(Ordering::SeqCst) == self.seen {
            told.await;
        }
    }
}

impl<K: Clone + Ord> Drop for Watcher<K> {
    fn drop(&mut self) {
        let mut table = self.watchers.table();
        let Some(watched) = table.get_mut(&self.key) else { return };
        watched.by -= 1;
        if watched.by == 0 {
            table.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn is_told(watcher: &Watcher<u8>) -> bool {
        watcher.changed().now_or_never().is_some()
    }

    #[test]
    fn those_who_watch_a_key_are_told_once_of_its_changes_and_nobody_else_is() {
        let watchers = Arc::new(Watchers::default());
        let (mut one, same, other) = (watchers.watch(1), watchers.watch(1), watchers.watch(2));
        watchers.tell(&1);
        watchers.tell(&1);
        assert!(is_told(&one) && is_told(&same) && !is_told(&other));
        one.look_anew();
        assert!(!is_told(&one));
        watchers.tell_all();
        one.look_anew();
        assert!(!is_told(&one) && is_told(&same) && is_told(&other));
    }

    #[test]
    fn nothing_is_left_of_those_who_have_gone() {
        let watchers = Arc::new(Watchers::default());
        let (one, same, other) = (watchers.watch(1), watchers.watch(1), watchers.watch(2));
        drop(one);
        watchers.tell(&1);
        assert!(is_told(&same));
        drop((same, other));
        assert!(watchers.table().is_empty());
    }
}
