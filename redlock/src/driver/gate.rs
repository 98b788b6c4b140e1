//! Wakes the one who waits for several answers once enough of them may be there, not at each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

/// The waker of all requests of one round.
///
/// An answer wakes its request at least once. So fewer wake-ups than answers are needed say that those cannot be there yet; more may
/// say nothing, and cost a look. No wake-up is lost: [`Gate::expect`] comes before the requests are polled, and reads what
/// it overwrites, so that an answer whose wake-up it has not counted is seen by that poll.
#[derive(Debug, Default)]
pub(super) struct Gate {
    task: AtomicWaker,
    /// How many wake-ups are still to come; 0: whoever waits has been woken.
    to_come: AtomicUsize,
}

impl Gate {
    /// Wakes `task` at the `fewest`-th wake-up from now on, at the first if that is 0. To be called before the requests are polled.
    pub(super) fn expect(&self, fewest: usize, task: &Waker) {
        self.task.register(task);
        self.to_come.swap(fewest, Ordering::AcqRel);
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let one_less = |to_come: usize| Some(to_come.saturating_sub(1));
        let before = self.to_come.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
        if before.is_ok_and(|before| before <= 1) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_task_is_woken_by_the_last_wake_up_that_is_needed_and_once() {
        let (gate, count) = (Arc::new(Gate::default()), Arc::new(Count::default()));
        let (request, task) = (Waker::from(Arc::clone(&gate)), Waker::from(Arc::clone(&count)));
        let woken = || count.0.load(Ordering::SeqCst);
        gate.expect(3, &task);
        let after: Vec<usize> = (0..5)
            .map(|_| {
                request.wake_by_ref();
                woken()
            })
            .collect();
        assert_eq!(after, [0, 0, 1, 1, 1]);
        gate.expect(1, &task);
        request.wake_by_ref();
        assert_eq!(woken(), 2);
    }

    #[test]
    fn it_wakes_who_waits_now_and_counts_anew_for_it() {
        let (gate, count) = (Arc::new(Gate::default()), Arc::new(Count::default()));
        let (request, task) = (Waker::from(Arc::clone(&gate)), Waker::from(Arc::clone(&count)));
        gate.expect(2, &noop_waker());
        request.wake_by_ref();
        gate.expect(2, &task);
        request.wake_by_ref();
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        request.wake_by_ref();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
