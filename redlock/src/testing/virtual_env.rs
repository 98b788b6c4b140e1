//! A deterministic environment on virtual time: one thread, no waiting, and every run of one seed is the same.
//!
//! The main future and all spawned tasks are polled in the order in which they were woken. When none can go on, time
//! jumps to the next timer. Several clients live in one simulation, each with a clock of its own; each can be paused, as
//! a stopped process is, and crashed.

mod client;
mod executor;
mod skewed_node;
#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::env::{Env, RandomError};
use crate::id::Instant;
use executor::{Executor, Sleep};

pub use client::{ClientClock, ClientEnv};

/// A simulation: an executor, its virtual time and its randomness. Dropping it drops all of its tasks.
pub struct VirtualEnv {
    executor: Arc<Executor>,
}

impl VirtualEnv {
    /// The true time at which every simulation starts. Not zero, so that arithmetic on the clock's origin shows.
    pub const START: Instant = Instant::from_nanos(1_000_000 * 1_000_000_000);

    /// A simulation whose random numbers follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { executor: Executor::new(seed) }
    }

    /// The environment of the world: the true clock, never paused. For nodes, networks and the test itself.
    pub fn env(&self) -> Arc<dyn Env> {
        Arc::new(World { executor: Arc::clone(&self.executor) })
    }

    /// A new client with this clock.
    pub fn client(&self, clock: ClientClock) -> Arc<ClientEnv> {
        ClientEnv::new(Arc::clone(&self.executor), clock)
    }

    /// The true time.
    pub fn now(&self) -> Instant {
        self.executor.now(None)
    }

    /// Completes `duration` of true time later.
    pub fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep::new(&self.executor, None, self.now().saturating_add(duration)))
    }

    /// Lets `duration` of true time pass, with all that happens meanwhile.
    pub fn advance(&self, duration: Duration) {
        self.block_on(self.sleep(duration));
    }

    /// A number of the simulation's own randomness, which repeats with its seed.
    pub fn random(&self) -> u64 {
        self.executor.random()
    }

    /// The number of spawned tasks that have not ended, those of paused clients included.
    pub fn tasks(&self) -> usize {
        self.executor.tasks()
    }

    /// Drives `future` and all spawned tasks until `future` is done. Tasks that are not done then go on with the next
    /// call.
    ///
    /// # Panics
    /// If nothing can ever go on again, if tasks wake each other for ever without time passing, or if called within
    /// itself.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.executor.block_on(pin!(future))
    }
}

impl Drop for VirtualEnv {
    fn drop(&mut self) {
        self.executor.close();
    }
}

impl fmt::Debug for VirtualEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualEnv").field("now", &self.now()).finish_non_exhaustive()
    }
}

struct World {
    executor: Arc<Executor>,
}

impl Env for World {
    fn now(&self) -> Instant {
        self.executor.now(None)
    }

    fn wall_micros(&self) -> u64 {
        self.now().as_nanos() / 1_000
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        Box::pin(Sleep::new(&self.executor, None, at))
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.executor.fill_random(bytes);
        Ok(())
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.executor.spawn(None, task);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now()).finish_non_exhaustive()
    }
}
