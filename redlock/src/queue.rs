//! The local queue: of all who wait for a name in this process, one at a time talks to the nodes.
//!
//! The others wait in FIFO order without any traffic, and a release in this process wakes the one at the head at once
//! (design, section 4, "Contention").

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::id::LockName;

/// The queues of all names that somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lines: Mutex<HashMap<LockName, Waiting>>,
}

/// A line, and how many are in it. Counted apart from the line's references: those go a moment later.
#[derive(Debug)]
struct Waiting {
    turns: usize,
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    head: Arc<Semaphore>,
    /// A lock with this name was released in this process.
    released: Notify,
}

impl Queue {
    fn lines(&self) -> MutexGuard<'_, HashMap<LockName, Waiting>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the head of the line. Cancel safe: a dropped future leaves the line.
    pub(crate) async fn enter(&self, name: &LockName) -> Turn<'_> {
        let line = {
            let mut lines = self.lines();
            let waiting = lines.entry(name.clone()).or_insert_with(|| {
                let line = Line { head: Arc::new(Semaphore::new(1)), released: Notify::new() };
                Waiting { turns: 0, line: Arc::new(line) }
            });
            waiting.turns += 1;
            Arc::clone(&waiting.line)
        };
        // Made before waiting, so that a dropped future leaves no empty line behind.
        let mut turn = Turn { queue: self, name: name.clone(), line, permit: None };
        // The semaphore is fair, and nobody closes it.
        turn.permit = Arc::clone(&turn.line.head).acquire_owned().await.ok();
        turn
    }

    /// Tells the head of the line that a lock with this name was released here.
    pub(crate) fn released(&self, name: &LockName) {
        if let Some(waiting) = self.lines().get(name) {
            waiting.line.released.notify_one();
        }
    }
}

/// The right to talk to the nodes about a name. Dropping it passes it on.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    queue: &'a Queue,
    name: LockName,
    line: Arc<Line>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turn<'_> {
    /// Completes when a lock with this name was released in this process since this was last asked.
    pub(crate) async fn released(&self) {
        self.line.released.notified().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut lines = self.queue.lines();
        let Some(waiting) = lines.get_mut(&self.name) else { return };
        waiting.turns -= 1;
        if waiting.turns == 0 {
            lines.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn turns_come_in_fifo_order_and_a_cancelled_waiter_is_skipped() {
        let queue = Queue::default();
        let name = LockName::new("n").unwrap();
        let first = block_on(queue.enter(&name));
        let mut second = Box::pin(queue.enter(&name));
        let mut third = Box::pin(queue.enter(&name));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(second);
        drop(first);
        assert!(third.as_mut().now_or_never().is_some());
    }

    #[test]
    fn an_empty_line_leaves_nothing_behind() {
        let queue = Queue::default();
        let name = LockName::new("n").unwrap();
        let turn = block_on(queue.enter(&name));
        assert!(queue.enter(&name).now_or_never().is_none());
        assert_eq!(queue.lines().len(), 1);
        drop(turn);
        assert!(queue.lines().is_empty());
    }

    #[test]
    fn those_who_leave_at_the_same_moment_leave_nothing_behind() {
        let queue = Queue::default();
        let name = LockName::new("n").unwrap();
        for _ in 0..1_000 {
            let turn = block_on(queue.enter(&name));
            let mut waiting = Box::pin(queue.enter(&name));
            assert!(waiting.as_mut().now_or_never().is_none());
            std::thread::scope(|scope| {
                scope.spawn(|| drop(turn));
                scope.spawn(|| drop(waiting));
            });
            assert!(queue.lines().is_empty());
        }
    }

    #[test]
    fn a_release_wakes_the_head_of_its_own_line_alone() {
        let queue = Queue::default();
        let (name, other) = (LockName::new("n").unwrap(), LockName::new("o").unwrap());
        let (turn, apart) = (block_on(queue.enter(&name)), block_on(queue.enter(&other)));
        queue.released(&name);
        assert!(turn.released().now_or_never().is_some());
        assert!(turn.released().now_or_never().is_none());
        assert!(apart.released().now_or_never().is_none());
    }
}
