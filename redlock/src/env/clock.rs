//! The suspend-aware clock, and the wall clock.

use rustix::time::{ClockId, clock_gettime};

use crate::id::Instant;

#[cfg(target_os = "linux")]
pub(super) const CLOCK: ClockId = ClockId::Boottime;
/// On macOS the monotonic clock goes on while the machine sleeps.
#[cfg(target_os = "macos")]
pub(super) const CLOCK: ClockId = ClockId::Monotonic;

pub(super) fn now() -> Instant {
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Microseconds since 1970 by the wall clock; 0 where it is set before that.
pub(super) fn wall_micros() -> u64 {
    let time = clock_gettime(ClockId::Realtime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}
