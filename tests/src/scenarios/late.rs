//! A client that is starved of the CPU: its timers come late, while what it is sent waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use redlock::Instant;
use redlock::env::{Env, RandomError};

/// The real environment, whose timers can be made late.
#[derive(Debug)]
pub(super) struct LateEnv {
    real: Arc<dyn Env>,
    is_late: AtomicBool,
}

impl LateEnv {
    /// By how much: longer than anything here takes.
    const BY: Duration = Duration::from_secs(30);

    pub(super) fn new(real: Arc<dyn Env>) -> Arc<Self> {
        Arc::new(Self { real, is_late: AtomicBool::new(false) })
    }

    /// Timers that are armed from now on come late.
    pub(super) fn be_late(&self, is_late: bool) {
        self.is_late.store(is_late, Ordering::SeqCst);
    }
}

impl Env for LateEnv {
    fn now(&self) -> Instant {
        self.real.now()
    }

    fn wall_micros(&self) -> u64 {
        self.real.wall_micros()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        let late = if self.is_late.load(Ordering::SeqCst) { Self::BY } else { Duration::ZERO };
        self.real.sleep_until(at.saturating_add(late))
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.real.fill_random(bytes)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.real.spawn(task);
    }
}
