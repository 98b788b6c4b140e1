//! The seam to the outside: clock, timer, random source and spawning.
//!
//! Nothing else in the library touches these, so that the very same driver, locks and renewal run on virtual
//! time in a simulation. The real one keeps a thread of its own for I/O and one for timers: a lock is renewed and
//! released also while the caller's runtime is starved, or gone (`docs/architecture.md`, "I/O thread").

mod clock;
mod real;
mod timer;

use std::fmt;

use futures::future::BoxFuture;

use crate::id::{Instant, OwnerToken};

pub(crate) use real::{RealEnv, block_on};

impl Instant {
    /// Reads the machine's suspend-aware clock.
    pub fn now() -> Self {
        clock::now()
    }
}

/// What the library needs from the outside world.
///
/// Implementations must be usable from any thread, inside or outside an async runtime.
pub trait Env: Send + Sync + fmt::Debug + 'static {
    /// Reads the suspend-aware clock. Never goes backwards.
    fn now(&self) -> Instant;

    /// The machine's wall clock, in microseconds since 1970. It may jump either way: good for fencing counters, which stores keep from
    /// going back, and for nothing else.
    fn wall_micros(&self) -> u64;

    /// Completes once `now() >= at`, also when the machine slept meanwhile. Dropping it disarms the timer.
    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()>;

    /// Fills `bytes` from the operating system's random source, so that a forked process does not repeat them.
    ///
    /// # Errors
    /// [`RandomError`] if the source does not answer; the bytes are then unusable.
    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomError>;

    /// A random number for jitter, which is no secret and may be poor. By default from the operating system.
    fn jitter(&self) -> u64 {
        random_number(self)
    }

    /// Runs a task to its end, independent of the caller's runtime.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Runs what may block for long, such as the syncing of a file, where it holds up nobody. By default at once, in the
    /// caller's thread.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

/// The operating system's random source did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the operating system's random source failed: {0}; no owner token can be drawn without it")]
pub struct RandomError(pub String);

/// Draws a fresh owner token.
pub(crate) fn fresh_owner(env: &dyn Env) -> Result<OwnerToken, RandomError> {
    let mut bytes = [0; OwnerToken::BYTES];
    env.fill_random(&mut bytes)?;
    Ok(OwnerToken::from_bytes(bytes))
}

/// A random number for jitter.
pub(crate) fn jitter(env: &dyn Env) -> u64 {
    env.jitter()
}

/// What SplitMix64 (Steele, Lea and Flood, 2014) adds to its state for every number.
pub(crate) const SPLIT_MIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// One step of SplitMix64 from the state `z`. It is a bijection, and stays as it is: groups are chosen by it.
pub(crate) const fn split_mix(z: u64) -> u64 {
    let z = z.wrapping_add(SPLIT_MIX_STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A random number that nobody else draws. Unlike a token it is no secret: when the source fails, the clock's bits must do.
pub(crate) fn random_number<E: Env + ?Sized>(env: &E) -> u64 {
    let mut bytes = [0; 8];
    match env.fill_random(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(_) => env.now().as_nanos().wrapping_mul(SPLIT_MIX_STEP),
    }
}
