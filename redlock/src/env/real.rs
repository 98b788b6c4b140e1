//! The real environment: a thread with a small runtime for I/O, and a timer thread.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::timer::Timer;
use super::{Env, RandomError, SPLIT_MIX_STEP, random_number, split_mix};
use crate::id::Instant;

/// One per `Locks`. Its threads end when the last task that uses it has ended.
pub(crate) struct RealEnv {
    io: Handle,
    timer: Timer,
    /// Where jitter stands. It is drawn with every lock: a system call would be felt.
    jitter: AtomicU64,
    /// Dropping it ends the I/O thread.
    _stop: oneshot::Sender<()>,
}

impl RealEnv {
    /// Starts the threads.
    pub(crate) fn start() -> io::Result<Self> {
        let timer = Timer::start()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let io = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        std::thread::Builder::new().name("redlock-io".into()).spawn(move || {
            let _ = runtime.block_on(stopped);
            // A name look-up may still be running on a helper thread; nobody waits for it.
            runtime.shutdown_background();
        })?;
        let env = Self { io, timer, jitter: AtomicU64::new(0), _stop: stop };
        env.jitter.store(random_number(&env), Ordering::Relaxed);
        Ok(env)
    }
}

/// Blocks the thread until a future of the library has completed, inside an async runtime too.
///
/// There tokio's own channels stop after so many steps, until their task has given way to others: a thread that is blocked
/// never does, and would wait for ever.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    futures::executor::block_on(tokio::task::unconstrained(future))
}

impl Env for RealEnv {
    fn now(&self) -> Instant {
        super::clock::now()
    }

    fn wall_micros(&self) -> u64 {
        super::clock::wall_micros()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        Box::pin(self.timer.sleep_until(at))
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        SysRng.try_fill_bytes(bytes).map_err(|error| RandomError(error.to_string()))
    }

    /// SplitMix64, begun by a number from the operating system.
    fn jitter(&self) -> u64 {
        let at = self.jitter.fetch_add(SPLIT_MIX_STEP, Ordering::Relaxed);
        split_mix(at)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        drop(self.io.spawn(task));
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        drop(self.io.spawn_blocking(work));
    }
}

impl fmt::Debug for RealEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealEnv").finish_non_exhaustive()
    }
}
