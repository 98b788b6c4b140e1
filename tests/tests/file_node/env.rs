//! An environment whose clocks a test can move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use redlock::Instant;
use redlock::env::{Env, RandomError};
use redlock::testing::real_env;

#[derive(Debug)]
pub(crate) struct MovedEnv {
    real: Arc<dyn Env>,
    ahead: AtomicU64,
    wall: AtomicI64,
}

impl MovedEnv {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { real: real_env().unwrap(), ahead: AtomicU64::new(0), wall: AtomicI64::new(0) })
    }

    /// So much time has passed, by both clocks.
    pub(crate) fn pass(&self, time: Duration) {
        self.ahead.fetch_add(u64::try_from(time.as_nanos()).unwrap(), Ordering::SeqCst);
        self.set_wall(i64::try_from(time.as_micros()).unwrap());
    }

    /// The wall clock is set, by so many microseconds.
    pub(crate) fn set_wall(&self, micros: i64) {
        self.wall.fetch_add(micros, Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_nanos(self.ahead.load(Ordering::SeqCst))
    }
}

impl Env for MovedEnv {
    fn now(&self) -> Instant {
        self.real.now().saturating_add(self.ahead())
    }

    fn wall_micros(&self) -> u64 {
        self.real.wall_micros().saturating_add_signed(self.wall.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        self.real.sleep_until(at.saturating_sub(self.ahead()))
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.real.fill_random(bytes)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.real.spawn(task);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.real.spawn_blocking(work);
    }
}
