//! Timers that count the time a machine sleeps, on a thread of their own.
//!
//! A runtime's timers stop while the machine is suspended and wait for a free worker; these do neither. On Linux the
//! thread blocks on a `timerfd` of `CLOCK_BOOTTIME`; elsewhere it looks at the clock every 50 ms.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::clock;
use crate::id::Instant;

/// The timer thread. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Timer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    alarm: Alarm,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Sleepers by deadline; the number tells those of one deadline apart.
    sleepers: BTreeMap<(Instant, u64), Waker>,
    next: u64,
    /// What the alarm is set to. It may ring for a sleeper that has gone; it is never set too late.
    armed: Option<Instant>,
    stopped: bool,
}

impl Timer {
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared { alarm: Alarm::new()?, queue: Mutex::default() });
        let thread = Arc::clone(&shared);
        std::thread::Builder::new().name("redlock-timer".into()).spawn(move || thread.run())?;
        Ok(Self { shared })
    }

    pub(super) fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep { shared: Arc::clone(&self.shared), at, key: None, waker: None }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.alarm.set(Instant::from_nanos(1));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            self.alarm.wait();
            let mut queue = self.lock();
            if queue.stopped {
                return;
            }
            let now = clock::now();
            let later =
                queue.sleepers.split_off(&(now.saturating_add(std::time::Duration::from_nanos(1)), 0));
            let due = std::mem::replace(&mut queue.sleepers, later);
            queue.armed = None;
            self.arm(&mut queue);
            drop(queue);
            due.into_values().for_each(Waker::wake);
        }
    }

    /// Sets the alarm for the earliest sleeper, unless it rings before that anyway.
    fn arm(&self, queue: &mut Queue) {
        let Some((&(first, _), _)) = queue.sleepers.first_key_value() else { return };
        if queue.armed.is_none_or(|armed| first < armed) {
            queue.armed = Some(first);
            self.alarm.set(first);
        }
    }
}

/// A pending sleep. Dropping it forgets the sleeper.
#[derive(Debug)]
pub(super) struct Sleep {
    shared: Arc<Shared>,
    at: Instant,
    key: Option<u64>,
    /// Whom the timer thread wakes.
    waker: Option<Waker>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if clock::now() >= this.at {
            return Poll::Ready(());
        }
        // It is in the queue as long as its time has not come: the thread need not be held up.
        if this.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            return Poll::Pending;
        }
        this.waker = Some(context.waker().clone());
        let mut queue = this.shared.lock();
        let number = *this.key.get_or_insert_with(|| {
            queue.next += 1;
            queue.next
        });
        match queue.sleepers.get_mut(&(this.at, number)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                queue.sleepers.insert((this.at, number), context.waker().clone());
                this.shared.arm(&mut queue);
            }
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.key {
            self.shared.lock().sleepers.remove(&(self.at, number));
        }
    }
}

#[cfg(target_os = "linux")]
mod alarm {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::sync::Once;

    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

    use crate::id::Instant;
    use crate::telemetry::events;

    #[derive(Debug)]
    pub(super) struct Alarm(OwnedFd);

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::CLOEXEC;
            Ok(Self(rustix::time::timerfd_create(TimerfdClockId::Boottime, flags)?))
        }

        /// Rings at `at`, at once if that has passed; replaces what was set before.
        pub(super) fn set(&self, at: Instant) {
            // Zero would disarm it.
            let nanos = at.as_nanos().max(1);
            let value = Timespec {
                tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
            };
            let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
            if let Err(error) = rustix::time::timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &spec) {
                static SAID: Once = Once::new();
                SAID.call_once(|| events::timer_failed(error));
            }
        }

        /// Blocks until it rings.
        pub(super) fn wait(&self) {
            let mut count = [0; 8];
            // An interruption is as good as a ring: the caller looks at the clock.
            let _ = rustix::io::read(&self.0, &mut count);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod alarm {
    use std::io;
    use std::sync::{Condvar, Mutex, PoisonError};
    use std::time::Duration;

    use super::clock;
    use crate::id::Instant;

    #[derive(Debug)]
    pub(super) struct Alarm {
        at: Mutex<Option<Instant>>,
        changed: Condvar,
    }

    impl Alarm {
        const SLICE: Duration = Duration::from_millis(50);

        pub(super) fn new() -> io::Result<Self> {
            Ok(Self { at: Mutex::new(None), changed: Condvar::new() })
        }

        pub(super) fn set(&self, at: Instant) {
            *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
            self.changed.notify_one();
        }

        pub(super) fn wait(&self) {
            let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                let left = at.map(|at| at.saturating_since(clock::now()));
                at = match left {
                    Some(Duration::ZERO) => {
                        *at = None;
                        return;
                    }
                    Some(left) => {
                        let slice = left.min(Self::SLICE);
                        self.changed.wait_timeout(at, slice).unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.changed.wait(at).unwrap_or_else(PoisonError::into_inner),
                };
            }
        }
    }
}

use alarm::Alarm;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant as StdInstant};

    use futures::FutureExt;
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines_and_not_early() {
        let timer = Timer::start().unwrap();
        let start = clock::now();
        let at = |ms| start.saturating_add(Duration::from_millis(ms));
        let order = Mutex::new(Vec::new());
        let note = |ms: u64| {
            timer.sleep_until(at(ms)).map({
                let order = &order;
                move |()| {
                    assert!(clock::now() >= at(ms));
                    order.lock().unwrap().push(ms);
                }
            })
        };
        block_on(futures::future::join3(note(30), note(10), note(20)));
        assert_eq!(*order.lock().unwrap(), [10, 20, 30]);
    }

    #[test]
    fn a_dropped_sleep_leaves_no_sleeper_behind() {
        let timer = Timer::start().unwrap();
        let far = clock::now().saturating_add(Duration::from_secs(3600));
        let mut sleep = timer.sleep_until(far);
        assert!((&mut sleep).now_or_never().is_none());
        assert_eq!(timer.shared.lock().sleepers.len(), 1);
        drop(sleep);
        assert!(timer.shared.lock().sleepers.is_empty());
    }

    #[test]
    fn the_timer_thread_ends_with_the_timer() {
        let timer = Timer::start().unwrap();
        let shared = Arc::downgrade(&timer.shared);
        drop(timer);
        let start = StdInstant::now();
        while shared.strong_count() > 0 {
            assert!(start.elapsed() < Duration::from_secs(10), "the thread is still there");
            std::thread::yield_now();
        }
    }
}
