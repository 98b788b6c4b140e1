//! Who waits in this process for a change of something on a node.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The keys that somebody watches. It is as large as the number of those who wait; they are told in the order in which
/// they began to wait, so that a simulation repeats itself.
#[derive(Debug)]
pub(crate) struct Watchers<K, T> {
    table: Mutex<BTreeMap<K, Watched<T>>>,
}

#[derive(Debug)]
struct Watched<T> {
    by: usize,
    changes: Arc<Changes<T>>,
}

/// What is told of a key.
#[derive(Debug)]
struct Changes<T> {
    /// How often something was told.
    count: AtomicU64,
    last: Mutex<Option<T>>,
    told: Notify,
}

impl<T> Changes<T> {
    fn tell(&self, what: T) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        // Last, so that who sees this count sees this or what came later.
        self.count.fetch_add(1, Ordering::SeqCst);
        self.told.notify_waiters();
    }
}

impl<K, T> Default for Watchers<K, T> {
    fn default() -> Self {
        Self { table: Mutex::default() }
    }
}

impl<K: Clone + Ord, T: Copy> Watchers<K, T> {
    fn table(&self) -> MutexGuard<'_, BTreeMap<K, Watched<T>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches `key` until the watcher is dropped.
    pub(crate) fn watch(self: &Arc<Self>, key: K) -> Watcher<K, T> {
        let changes = {
            let mut table = self.table();
            let watched = table.entry(key.clone()).or_insert_with(|| {
                let (count, last, told) = (AtomicU64::new(0), Mutex::new(None), Notify::new());
                Watched { by: 0, changes: Arc::new(Changes { count, last, told }) }
            });
            watched.by += 1;
            Arc::clone(&watched.changes)
        };
        let seen = changes.count.load(Ordering::SeqCst);
        Watcher { watchers: Arc::clone(self), key, changes, seen }
    }

    /// Tells those who watch `key` what has become of it.
    pub(crate) fn tell<Q: ?Sized + Ord>(&self, key: &Q, what: T)
    where
        K: Borrow<Q>,
    {
        if let Some(watched) = self.table().get(key) {
            watched.changes.tell(what);
        }
    }

    /// Tells everybody.
    #[cfg(any(feature = "redis", feature = "testing"))]
    pub(crate) fn tell_all(&self, what: T) {
        self.table().values().for_each(|watched| watched.changes.tell(what));
    }

    /// Whether anybody watches `key`.
    #[cfg(feature = "redis")]
    pub(crate) fn has<Q: ?Sized + Ord>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.table().contains_key(key)
    }
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Watcher<K: Clone + Ord, T: Copy> {
    watchers: Arc<Watchers<K, T>>,
    key: K,
    changes: Arc<Changes<T>>,
    /// So much of what was told is known.
    seen: u64,
}

impl<K: Clone + Ord, T: Copy> Watcher<K, T> {
    /// From now on; what was told before is known.
    pub(crate) fn look_anew(&mut self) {
        self.seen = self.changes.count.load(Ordering::SeqCst);
    }

    /// Completes when something was told that is not known yet: the last of it. Cancel safe.
    pub(crate) async fn told(&mut self) -> T {
        loop {
            // Made before the count is read, so that a change in between is not missed.
            let told = self.changes.told.notified();
            let count = self.changes.count.load(Ordering::SeqCst);
            if count != self.seen {
                let last = *self.changes.last.lock().unwrap_or_else(PoisonError::into_inner);
                self.seen = count;
                if let Some(last) = last {
                    return last;
                }
            }
            told.await;
        }
    }
}

impl<K: Clone + Ord, T: Copy> Drop for Watcher<K, T> {
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

    fn told(watcher: &mut Watcher<u8, char>) -> Option<char> {
        watcher.told().now_or_never()
    }

    #[test]
    fn those_who_watch_a_key_are_told_once_of_its_changes_and_nobody_else_is() {
        let watchers = Arc::new(Watchers::default());
        let (mut one, mut same, mut other) = (watchers.watch(1), watchers.watch(1), watchers.watch(2));
        watchers.tell(&1, 'a');
        watchers.tell(&1, 'b');
        assert_eq!((told(&mut one), told(&mut same), told(&mut other)), (Some('b'), Some('b'), None));
        assert_eq!(told(&mut one), None);
        watchers.tell_all('c');
        one.look_anew();
        assert_eq!((told(&mut one), told(&mut same), told(&mut other)), (None, Some('c'), Some('c')));
    }

    #[test]
    fn who_comes_later_is_told_nothing_old() {
        let watchers = Arc::new(Watchers::default());
        let _first = watchers.watch(1);
        watchers.tell(&1, 'a');
        assert_eq!(told(&mut watchers.watch(1)), None);
    }

    #[test]
    fn nothing_is_left_of_those_who_have_gone() {
        let watchers = Arc::new(Watchers::default());
        let (one, mut same, other) = (watchers.watch(1), watchers.watch(1), watchers.watch(2));
        drop(one);
        watchers.tell(&1, 'a');
        assert_eq!(told(&mut same), Some('a'));
        drop((same, other));
        assert!(watchers.table().is_empty());
    }
}
