//! A client of a simulation: its clock, its pauses and its crash.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;

use super::VirtualEnv;
use super::executor::{Executor, Sleep};
use super::skewed_node::SkewedNode;
use crate::env::{Env, RandomError};
use crate::id::Instant;
use crate::node::Node;

/// How a client's clock differs from the true one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientClock {
    /// The rate error in parts per million: with 5,000 it gains 5 ms a second. At least -900,000.
    pub rate_ppm: i32,
    /// How far ahead it is when the simulation starts.
    pub offset: Duration,
}

const MILLION: i128 = 1_000_000;

impl ClientClock {
    /// A clock with this rate error (parts per million) that starts at the true time.
    pub fn with_rate(rate_ppm: i32) -> Self {
        Self { rate_ppm, offset: Duration::ZERO }
    }

    fn rate(self) -> i128 {
        MILLION + i128::from(self.rate_ppm.max(-900_000))
    }

    pub(super) fn start(self) -> Instant {
        VirtualEnv::START.saturating_add(self.offset)
    }

    /// What the clock shows at a true time.
    pub(super) fn local(self, at: Instant) -> Instant {
        let passed = i128::from(at.as_nanos()) - i128::from(VirtualEnv::START.as_nanos());
        instant(i128::from(self.start().as_nanos()) + (passed * self.rate()).div_euclid(MILLION))
    }

    /// The first true time at which the clock shows `local`.
    pub(super) fn true_time(self, local: Instant) -> Instant {
        let passed = i128::from(local.as_nanos()) - i128::from(self.start().as_nanos());
        let (rate, nanos) = (self.rate(), passed * MILLION);
        instant(i128::from(VirtualEnv::START.as_nanos()) + (nanos + rate - 1).div_euclid(rate))
    }
}

/// A clock and the times at which it stood still.
#[derive(Debug)]
pub(super) struct StoppableClock {
    clock: ClientClock,
    /// From one true time until another; in order, and apart.
    stops: Vec<(Instant, Instant)>,
}

impl StoppableClock {
    pub(super) fn new(clock: ClientClock) -> Self {
        Self { clock, stops: Vec::new() }
    }

    /// Lets it stand still from `now`, which never goes backwards, until the later of `until` and the end of a stop that
    /// is under way.
    pub(super) fn stop(&mut self, now: Instant, until: Instant) {
        match self.stops.last_mut() {
            Some((_, end)) if now <= *end => *end = until.max(*end),
            _ => self.stops.push((now, until.max(now))),
        }
    }

    /// What it shows at a true time.
    pub(super) fn local(&self, at: Instant) -> Instant {
        let stood = self.stops.iter().map(|&(from, until)| at.min(until).saturating_since(from)).sum();
        self.clock.local(at.saturating_sub(stood))
    }

    /// The first true time at which it shows `local`.
    pub(super) fn true_time(&self, local: Instant) -> Instant {
        self.stops.iter().fold(self.clock.true_time(local), |at, &(from, until)| {
            if at > from { at.saturating_add(until.saturating_since(from)) } else { at }
        })
    }
}

fn instant(nanos: i128) -> Instant {
    Instant::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

/// The environment of one client: a process that can be stopped and killed.
///
/// A pause and a crash concern its tasks: code that the test's main future polls itself goes on. [`ClientEnv::run`] puts
/// code where it belongs.
pub struct ClientEnv {
    executor: Arc<Executor>,
    number: usize,
}

impl ClientEnv {
    pub(super) fn new(executor: Arc<Executor>, clock: ClientClock) -> Arc<Self> {
        let number = executor.add_client(clock);
        Arc::new(Self { executor, number })
    }

    /// Runs `future` as a task of this client. The result is there once it has ended; `None` if the client crashed.
    /// Dropping the returned future does not stop the task.
    pub fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<'static, Option<T>> {
        let (sender, receiver) = oneshot::channel();
        self.spawn(Box::pin(async move {
            // Whoever asked may have gone.
            let _ = sender.send(future.await);
        }));
        Box::pin(async { receiver.await.ok() })
    }

    /// Polls none of its tasks until the true time `at`; its clock goes on and its timers run out meanwhile. Replaces a
    /// pause that is there already. [`Instant`]'s largest value pauses until [`ClientEnv::resume`].
    pub fn pause_until(&self, at: Instant) {
        self.executor.pause(self.number, at);
    }

    /// Lets its clock stand still until the true time `at`, whether it is paused or not. Prolongs a stop that is there
    /// already.
    ///
    /// With a pause of the same length it is a machine's sleep as a clock sees it that does not count sleep
    /// (`CLOCK_MONOTONIC` on Linux). The library reads one that does; a test shows why. A sleep that the clock counts
    /// is a pause alone.
    pub fn stop_clock_until(&self, at: Instant) {
        self.executor.stop_clock(self.number, at);
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.executor.resume(self.number);
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.executor.is_paused(self.number)
    }

    /// Drops all of its tasks, and whatever it spawns later.
    pub fn crash(&self) {
        self.executor.crash(self.number);
    }

    /// What its clock shows at a true time.
    pub fn local(&self, at: Instant) -> Instant {
        self.executor.with_clock(self.number, |clock| clock.local(at))
    }

    /// The first true time at which its clock shows `local`.
    pub fn true_time(&self, local: Instant) -> Instant {
        self.executor.with_clock(self.number, |clock| clock.true_time(local))
    }

    /// `node`, which lives on the true clock, as this client reaches it: deadlines are translated from the client's
    /// clock the way a backend does that talks to a distant server.
    pub fn reach(&self, node: Arc<dyn Node>) -> Arc<dyn Node> {
        Arc::new(SkewedNode::new(node, Arc::clone(&self.executor), self.number))
    }
}

impl Env for ClientEnv {
    fn now(&self) -> Instant {
        self.executor.now(Some(self.number))
    }

    fn wall_micros(&self) -> u64 {
        self.now().as_nanos() / 1_000
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        Box::pin(Sleep::new(&self.executor, Some(self.number), at))
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.executor.fill_random(bytes);
        Ok(())
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.executor.spawn(Some(self.number), task);
    }
}

impl fmt::Debug for ClientEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientEnv").field("number", &self.number).finish_non_exhaustive()
    }
}
