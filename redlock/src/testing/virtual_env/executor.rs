//! The run queue, the timers and the clients of a simulation.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use futures::future::BoxFuture;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::VirtualEnv;
use super::client::{ClientClock, StoppableClock};
use crate::id::Instant;

/// Which client a task or a timer belongs to; `None` is the world.
pub(super) type Owner = Option<usize>;
type TaskId = u64;
/// When a timer fires, in true time, and its number.
type TimerKey = (Instant, u64);

/// The future that `block_on` was given. It is on the caller's stack and not among the tasks.
const MAIN: TaskId = 0;
/// So many polls without time passing are a loop that never ends.
const MOST_POLLS_AT_ONE_TIME: u32 = 1_000_000;

pub(super) struct Executor {
    state: Mutex<State>,
    main_waker: Waker,
}

struct State {
    now: Instant,
    /// The last number that was given to a task or a timer.
    last_number: u64,
    ready: VecDeque<TaskId>,
    main_is_ready: bool,
    tasks: BTreeMap<TaskId, Task>,
    timers: BTreeMap<TimerKey, Timer>,
    clients: Vec<Client>,
    /// Tokens drawn from it are no secrets, and need not be: a simulation has no attackers, and a failure that cannot
    /// be run again from its seed is worth little.
    rng: StdRng,
    running: bool,
    closed: bool,
}

struct Task {
    owner: Owner,
    /// `None` while it is being polled.
    future: Option<BoxFuture<'static, ()>>,
    waker: Waker,
    is_ready: bool,
}

enum Timer {
    Wake(Waker),
    Resume(usize),
}

struct Client {
    clock: StoppableClock,
    paused: Option<Pause>,
    crashed: bool,
}

struct Pause {
    /// `None`: until somebody resumes it.
    ends: Option<TimerKey>,
    /// Tasks that were woken meanwhile.
    held_back: Vec<TaskId>,
}

struct TaskWaker {
    executor: Weak<Executor>,
    id: TaskId,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if let Some(executor) = self.executor.upgrade() {
            executor.lock().make_ready(self.id);
        }
    }
}

impl Executor {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new_cyclic(|executor| Self {
            main_waker: Waker::from(Arc::new(TaskWaker { executor: executor.clone(), id: MAIN })),
            state: Mutex::new(State {
                now: VirtualEnv::START,
                last_number: MAIN,
                ready: VecDeque::new(),
                main_is_ready: false,
                tasks: BTreeMap::new(),
                timers: BTreeMap::new(),
                clients: Vec::new(),
                rng: StdRng::seed_from_u64(seed),
                running: false,
                closed: false,
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self, owner: Owner) -> Instant {
        self.lock().local_now(owner)
    }

    pub(super) fn fill_random(&self, bytes: &mut [u8]) {
        self.lock().rng.fill_bytes(bytes);
    }

    pub(super) fn random(&self) -> u64 {
        self.lock().rng.next_u64()
    }

    pub(super) fn tasks(&self) -> usize {
        self.lock().tasks.len()
    }

    pub(super) fn spawn(self: &Arc<Self>, owner: Owner, future: BoxFuture<'static, ()>) {
        let mut state = self.lock();
        let refused = state.closed || owner.is_some_and(|client| state.clients[client].crashed);
        if refused {
            drop(state);
            // A future's own drop may come back here: not under the mutex.
            drop(future);
            return;
        }
        let id = state.next_number();
        let waker = Waker::from(Arc::new(TaskWaker { executor: Arc::downgrade(self), id }));
        state.tasks.insert(id, Task { owner, future: Some(future), waker, is_ready: false });
        state.make_ready(id);
    }

    pub(super) fn add_client(&self, clock: ClientClock) -> usize {
        let mut state = self.lock();
        state.clients.push(Client { clock: StoppableClock::new(clock), paused: None, crashed: false });
        state.clients.len() - 1
    }

    pub(super) fn pause(&self, client: usize, until: Instant) {
        let mut state = self.lock();
        if state.clients[client].crashed {
            return;
        }
        let ends = (until < Instant::from_nanos(u64::MAX)).then(|| (until, state.next_number()));
        let earlier = state.clients[client].paused.take();
        if let Some(key) = earlier.as_ref().and_then(|pause| pause.ends) {
            state.timers.remove(&key);
        }
        if let Some(key) = ends {
            state.timers.insert(key, Timer::Resume(client));
        }
        let held_back = earlier.map_or_else(Vec::new, |pause| pause.held_back);
        state.clients[client].paused = Some(Pause { ends, held_back });
    }

    pub(super) fn stop_clock(&self, client: usize, until: Instant) {
        let mut state = self.lock();
        let now = state.now;
        state.clients[client].clock.stop(now, until);
    }

    pub(super) fn with_clock<T>(&self, client: usize, read: impl FnOnce(&StoppableClock) -> T) -> T {
        read(&self.lock().clients[client].clock)
    }

    pub(super) fn resume(&self, client: usize) {
        self.lock().resume(client);
    }

    pub(super) fn is_paused(&self, client: usize) -> bool {
        self.lock().clients[client].paused.is_some()
    }

    pub(super) fn crash(&self, client: usize) {
        let mut state = self.lock();
        state.resume(client);
        state.clients[client].crashed = true;
        let (dropped, kept) =
            std::mem::take(&mut state.tasks).into_iter().partition(|(_, task)| task.owner == Some(client));
        state.tasks = kept;
        drop(state);
        drop::<BTreeMap<_, _>>(dropped);
    }

    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let tasks = std::mem::take(&mut state.tasks);
        let timers = std::mem::take(&mut state.timers);
        drop(state);
        drop((tasks, timers));
    }

    pub(super) fn block_on<T>(&self, mut main: Pin<&mut impl Future<Output = T>>) -> T {
        {
            let mut state = self.lock();
            assert!(!state.running, "a simulation cannot be driven from within itself: await instead");
            state.running = true;
            state.make_ready(MAIN);
        }
        let _running = Running(self);
        let mut polls = 0;
        loop {
            let next = self.lock().ready.pop_front();
            let Some(id) = next else {
                self.jump_to_next_timer();
                polls = 0;
                continue;
            };
            polls += 1;
            assert!(
                polls <= MOST_POLLS_AT_ONE_TIME,
                "livelock: {polls} polls at {:?} and time does not pass",
                self.now(None)
            );
            if id == MAIN {
                self.lock().main_is_ready = false;
                if let Poll::Ready(result) = main.as_mut().poll(&mut Context::from_waker(&self.main_waker)) {
                    return result;
                }
            } else {
                self.run(id);
            }
        }
    }

    fn run(&self, id: TaskId) {
        let Some((mut future, waker)) = self.lock().take_for_poll(id) else { return };
        let done = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut state = self.lock();
        if done {
            state.tasks.remove(&id);
        } else if let Some(task) = state.tasks.get_mut(&id) {
            task.future = Some(future);
            return;
        }
        // It has ended, or its client crashed while it ran.
        drop(state);
        drop(future);
    }

    #[expect(clippy::panic, reason = "a deadlock in a simulation is a bug in what it tests")]
    fn jump_to_next_timer(&self) {
        let mut state = self.lock();
        let Some(now) = state.timers.first_key_value().map(|(&(at, _), _)| at) else {
            let report = state.deadlock_report();
            drop(state);
            panic!("{report}");
        };
        state.now = state.now.max(now);
        let mut wakers = Vec::new();
        while let Some(entry) = state.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Timer::Wake(waker) => wakers.push(waker),
                Timer::Resume(client) => state.resume(client),
            }
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Lets a simulation be driven again, also after a panic.
struct Running<'a>(&'a Executor);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().running = false;
    }
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn local_now(&self, owner: Owner) -> Instant {
        owner.map_or(self.now, |client| self.clients[client].clock.local(self.now))
    }

    fn make_ready(&mut self, id: TaskId) {
        let is_ready = match self.tasks.get_mut(&id) {
            Some(task) => &mut task.is_ready,
            None if id == MAIN => &mut self.main_is_ready,
            None => return,
        };
        if !std::mem::replace(is_ready, true) {
            self.ready.push_back(id);
        }
    }

    /// The task's future, unless the task has gone or its client is paused: then it is held back.
    fn take_for_poll(&mut self, id: TaskId) -> Option<(BoxFuture<'static, ()>, Waker)> {
        let task = self.tasks.get_mut(&id)?;
        if let Some(pause) = task.owner.and_then(|client| self.clients[client].paused.as_mut()) {
            pause.held_back.push(id);
            return None;
        }
        task.is_ready = false;
        Some((task.future.take()?, task.waker.clone()))
    }

    fn resume(&mut self, client: usize) {
        let Some(pause) = self.clients[client].paused.take() else { return };
        if let Some(key) = pause.ends {
            self.timers.remove(&key);
        }
        self.ready.extend(pause.held_back);
    }

    fn deadlock_report(&self) -> String {
        let paused: Vec<_> = (0..self.clients.len()).filter(|&i| self.clients[i].paused.is_some()).collect();
        format!(
            "deadlock at {:?}: the main future is pending, no timer is set, and none of the {} other tasks can go on \
             (paused clients: {paused:?})",
            self.now,
            self.tasks.len(),
        )
    }
}

/// Completes at a time of its owner's clock.
pub(super) struct Sleep {
    executor: Arc<Executor>,
    owner: Owner,
    at: Instant,
    key: Option<TimerKey>,
}

impl Sleep {
    pub(super) fn new(executor: &Arc<Executor>, owner: Owner, at: Instant) -> Self {
        Self { executor: Arc::clone(executor), owner, at, key: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut state = this.executor.lock();
        if state.local_now(this.owner) >= this.at {
            return Poll::Ready(());
        }
        if let Some(Timer::Wake(waker)) = this.key.and_then(|key| state.timers.get_mut(&key)) {
            waker.clone_from(context.waker());
            return Poll::Pending;
        }
        // A clock that is stopped after this comes there later: the sleep looks again when it is woken.
        let at = this.owner.map_or(this.at, |client| state.clients[client].clock.true_time(this.at));
        // The end of time is never reached: a sleep until then is no reason to go on.
        if at < Instant::from_nanos(u64::MAX) && !state.closed {
            let key = (at, state.next_number());
            state.timers.insert(key, Timer::Wake(context.waker().clone()));
            this.key = Some(key);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let timer = self.executor.lock().timers.remove(&key);
        drop(timer);
    }
}
