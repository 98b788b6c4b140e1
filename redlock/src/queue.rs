//! The local queue: of all who wait for a name in this process, one at a time talks to the nodes, or is handed the lock by
//! the holder before it.
//!
//! The others wait in FIFO order without any traffic, and a release in this process wakes the one at the head at once
//! (design, section 4, "Contention"). Entering and leaving cost the same however long the line is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};

use crate::id::{Instant, LockName};
use crate::lease::Lease;
use crate::tenure::Tenure;

/// The lines of all names that somebody of this process waits for, or has.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lines: Mutex<HashMap<LockName, Line>>,
}

/// One name's.
#[derive(Debug, Default)]
struct Line {
    /// How many are in it, with the one at the head.
    waiting: usize,
    /// Where they wait. Made when the first must.
    bench: Option<Arc<Bench>>,
    /// The head is to look, and there was no bench on which it could be told.
    told: bool,
    /// Who has the name in this process, as far as it is known here.
    holder: Option<Arc<Lease>>,
    /// Handed over by its last holder, and not taken yet. There is somebody in the line as long as it is here.
    offered: Option<Box<Tenure>>,
    /// Others, of other processes, may ask the nodes up to here.
    yield_until: Instant,
}

#[derive(Debug)]
struct Bench {
    /// Has a permit while nobody is at the head.
    head: Semaphore,
    /// The head is to look at the line again.
    told: Notify,
}

/// What the head of a line finds there.
#[derive(Debug)]
pub(crate) enum Look {
    /// The lock, handed over.
    Offered(Box<Tenure>),
    /// Somebody of this process has it, or is giving it back.
    Held(Arc<Lease>),
    /// It is the turn of other processes, up to here.
    Yield(Instant),
    /// Nothing: the nodes must be asked.
    Free,
}

impl Line {
    fn bench(&mut self) -> &Arc<Bench> {
        self.bench.get_or_insert_with(|| Arc::new(Bench { head: Semaphore::new(0), told: Notify::new() }))
    }

    /// Whom to tell, outside of the lock, that the head is to look.
    fn tell(&mut self) -> Option<Arc<Bench>> {
        self.told = self.bench.is_none() && self.waiting > 0;
        self.bench.clone()
    }
}

impl Queue {
    fn lines(&self) -> MutexGuard<'_, HashMap<LockName, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the head of the line. Cancel safe: a dropped future leaves the line.
    pub(crate) async fn enter(&self, name: &LockName) -> Turn<'_> {
        let bench = {
            let mut lines = self.lines();
            let line = lines.entry(name.clone()).or_default();
            line.waiting += 1;
            // Who comes alone is at the head.
            (line.waiting > 1).then(|| Arc::clone(line.bench()))
        };
        // Made before waiting, so that a dropped future leaves the line.
        let mut turn = Turn { queue: self, name: name.clone(), is_head: bench.is_none() };
        if let Some(bench) = bench {
            // The semaphore is fair, and nobody closes it.
            if let Ok(permit) = bench.head.acquire().await {
                permit.forget();
            }
            turn.is_head = true;
        }
        turn
    }

    /// Whether anybody of this process waits for what `lease` is about.
    pub(crate) fn is_waited_for(&self, lease: &Lease) -> bool {
        self.lines().get(&lease.owned().name).is_some_and(|line| line.waiting > 0)
    }

    /// A lock is held in this process from now on.
    pub(crate) fn held(&self, lease: &Arc<Lease>) {
        let mut lines = self.lines();
        let line = lines.entry(lease.owned().name.clone()).or_default();
        let earlier = line.holder.replace(Arc::clone(lease));
        drop(lines);
        drop(earlier);
    }

    /// Leaves a lease to the head of the line; gives it back if nobody waits any more.
    pub(crate) fn offer(&self, tenure: Box<Tenure>) -> Result<(), Box<Tenure>> {
        let mut lines = self.lines();
        let line = lines.get_mut(&tenure.lease().owned().name).filter(|line| line.waiting > 0);
        let Some(line) = line else { return Err(tenure) };
        let earlier = line.offered.replace(tenure);
        let bench = line.tell();
        drop(lines);
        // One that was lost while nobody took it.
        drop(earlier);
        tell(bench);
        Ok(())
    }

    /// A lock was released in this process: the head of its line is to ask the nodes, behind others of other processes where
    /// there is a `yield_until`.
    pub(crate) fn released(&self, lease: &Arc<Lease>, yield_until: Option<Instant>) {
        let name = &lease.owned().name;
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(name) else { return };
        let was_holder = line.holder.take_if(|holder| Arc::ptr_eq(holder, lease));
        if let Some(until) = yield_until {
            line.yield_until = until;
        }
        let bench = line.tell();
        remove_if_empty(&mut lines, name);
        drop(lines);
        drop(was_holder);
        tell(bench);
    }
}

fn tell(bench: Option<Arc<Bench>>) {
    if let Some(bench) = bench {
        bench.told.notify_one();
    }
}

fn remove_if_empty(lines: &mut HashMap<LockName, Line>, name: &LockName) {
    if lines.get(name).is_some_and(|line| line.waiting == 0 && line.holder.is_none()) {
        lines.remove(name);
    }
}

/// The right to talk to the nodes about a name, and to be handed it. Dropping it passes it on.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    queue: &'a Queue,
    name: LockName,
    is_head: bool,
}

impl Turn<'_> {
    /// Completes when the head is to look at the line again: a lock with this name was released in this process, or handed over,
    /// since this was last asked.
    pub(crate) async fn told(&self) {
        let bench = {
            let mut lines = self.queue.lines();
            // It is there as long as anybody is in it.
            let Some(line) = lines.get_mut(&self.name) else { return };
            if std::mem::take(&mut line.told) {
                return;
            }
            Arc::clone(line.bench())
        };
        bench.told.notified().await;
    }

    /// How things are; what was handed over is taken by it.
    pub(crate) fn look(&self, now: Instant) -> Look {
        let mut lines = self.queue.lines();
        let Some(line) = lines.get_mut(&self.name) else { return Look::Free };
        match (line.offered.take(), &line.holder) {
            (Some(tenure), _) => Look::Offered(tenure),
            (None, Some(lease)) => Look::Held(Arc::clone(lease)),
            (None, None) if now < line.yield_until => Look::Yield(line.yield_until),
            (None, None) => Look::Free,
        }
    }

    /// A lease that was found here has ended, and nobody has said so.
    pub(crate) fn forget(&self, lease: &Arc<Lease>) {
        let mut lines = self.queue.lines();
        let Some(line) = lines.get_mut(&self.name) else { return };
        let forgotten = line.holder.take_if(|holder| Arc::ptr_eq(holder, lease));
        drop(lines);
        drop(forgotten);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lines = self.queue.lines();
        let Some(line) = lines.get_mut(&self.name) else { return };
        line.waiting -= 1;
        let mut unclaimed = None;
        let mut next = None;
        if line.waiting == 0 {
            line.bench = None;
            line.told = false;
            unclaimed = line.offered.take();
            remove_if_empty(&mut lines, &self.name);
        } else if self.is_head {
            next = line.bench.clone();
        }
        drop(lines);
        if let Some(bench) = next {
            bench.head.add_permits(1);
        }
        // Behind the lock: it is released, and says so here.
        drop(unclaimed);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::executor::block_on;

    use super::*;

    fn name(text: &str) -> LockName {
        LockName::new(text).unwrap()
    }

    #[test]
    fn turns_come_in_fifo_order_and_a_cancelled_waiter_is_skipped() {
        let queue = Queue::default();
        let name = name("n");
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
    fn one_who_was_made_the_head_and_never_looked_passes_it_on() {
        let queue = Queue::default();
        let name = name("n");
        let first = block_on(queue.enter(&name));
        let mut second = Box::pin(queue.enter(&name));
        let mut third = Box::pin(queue.enter(&name));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        drop(second);
        assert!(third.as_mut().now_or_never().is_some());
    }

    #[test]
    fn an_empty_line_leaves_nothing_behind() {
        let queue = Queue::default();
        let name = name("n");
        let turn = block_on(queue.enter(&name));
        assert!(queue.enter(&name).now_or_never().is_none());
        assert_eq!(queue.lines().len(), 1);
        drop(turn);
        assert!(queue.lines().is_empty());
    }

    #[test]
    fn those_who_leave_at_the_same_moment_leave_nothing_behind() {
        let queue = Queue::default();
        let name = name("n");
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
    fn of_many_who_come_and_go_on_several_threads_one_at_a_time_is_at_the_head() {
        let queue = Queue::default();
        let name = name("n");
        let at_head = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (queue, name, at_head) = (&queue, &name, &at_head);
                scope.spawn(move || {
                    for round in 0..2_000 {
                        // Some give up at once, whether they were made the head by then or not.
                        if (round + thread) % 3 == 0 {
                            drop(Box::pin(queue.enter(name)).as_mut().now_or_never());
                            continue;
                        }
                        let turn = block_on(queue.enter(name));
                        let others = at_head.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        assert_eq!(others, 0);
                        at_head.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(turn);
                    }
                });
            }
        });
        assert!(queue.lines().is_empty());
    }
}
