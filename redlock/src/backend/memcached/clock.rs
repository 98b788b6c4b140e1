//! A server's clock, and the ends of items that are stated in it.
//!
//! memcached's clock is that of `CLOCK_MONOTONIC`, in whole seconds since a start that is read from the wall clock once: it cannot be set
//! while the process lives. It ticks once a second, by a timer of the main thread, and is *stale* in between, after SIGCONT
//! until that timer has run: what it shows may be too old, and is never too new. So:
//!
//! * `shown - (when the answer came)` is never more than the true difference between the two clocks. Of all that were seen of one process the
//!   largest is the best, and it never goes down while it is the same process, whatever a stale reading says.
//! * The first reading counts for the beginning of everything, so it must not be stale: it is taken on a second connection. The main thread
//!   accepts one connection in a turn of its event loop, and runs the timers that are due at the end of that turn; when a
//!   second connection has been accepted, which was opened after the first one was answered, the timer has run. The round trip
//!   of that reading is limited ([`LONGEST_FIRST`]), so that it falls short of the truth by the second between two ticks, and half of one.
//! * An item must live until `now + ttl` by the true clock. The end that is stated is rounded up and two seconds later, which covers
//!   what the difference may fall short by. Further readings, one every few seconds, only ever make it later.
//!
//! What this costs: a lock that nobody releases stays up to three seconds longer than its TTL; longer, if the server's machine slept (the
//! monotonic clock stops meanwhile), by that time, until this client or the server is restarted.

use std::time::Duration;

use crate::id::Instant;
use crate::node::ClockReading;

const SECOND: i64 = 1_000_000;
/// What is added to every end, in seconds.
const MARGIN: u64 = 2;
/// The longest round trip of the first reading of a process.
pub(super) const LONGEST_FIRST: Duration = Duration::from_millis(500);
/// The latest end that memcached reads: its numbers have 32 bits. Items that are to stay have it.
pub(super) const LATEST_END: u64 = i32::MAX as u64;
/// Up to this, memcached takes an end for a number of seconds from now.
pub(super) const LONGEST_RELATIVE: u64 = 30 * 86_400;

/// A process behind an address, as its `stats` tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u64,
    /// Its time when its uptime was 0; constant.
    pub(super) started: u64,
}

/// What is known of the clock of one process.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    process: Option<Process>,
    /// `server's time - our time` is at least this, in microseconds.
    offset: i64,
    /// And at most so much more.
    width: i64,
    /// The latest time that it showed, in seconds.
    shown: u64,
    taken: Instant,
}

impl ServerClock {
    /// Whether it is known already; otherwise a first reading is needed.
    pub(super) fn knows(&self, process: Process) -> bool {
        self.process == Some(process)
    }

    /// Takes a first reading that is not stale, of a process that is not known.
    pub(super) fn begin(&mut self, process: Process, shown: u64, sent: Instant, received: Instant) {
        *self = Self { process: Some(process), offset: i64::MIN, ..Self::default() };
        self.read(shown, sent, received);
    }

    /// Takes another reading of the process that is known.
    pub(super) fn read(&mut self, shown: u64, sent: Instant, received: Instant) {
        let offset = micros_of(shown).saturating_sub(micros(received));
        if offset > self.offset {
            self.offset = offset;
            self.width = SECOND.saturating_add(micros(received).saturating_sub(micros(sent)));
        }
        self.shown = self.shown.max(shown);
        self.taken = self.taken.max(received);
    }

    /// The server's time when ours is `now`, in microseconds, or a little less.
    pub(super) fn at(&self, now: Instant) -> u64 {
        u64::try_from(micros(now).saturating_add(self.offset)).unwrap_or(0)
    }

    /// Its clock shows no less than this, in seconds.
    pub(super) fn least(&self) -> u64 {
        self.shown
    }

    /// Its clock shows no more than this, in seconds.
    pub(super) fn most(&self, now: Instant) -> u64 {
        (self.at(now) / 1_000_000).saturating_add(MARGIN)
    }

    /// The end of an item that is to live for `lasts` at least, in the server's seconds.
    pub(super) fn end(&self, now: Instant, lasts: Duration) -> u64 {
        let lasts = u64::try_from(lasts.as_micros()).unwrap_or(u64::MAX);
        self.at(now).saturating_add(lasts).div_ceil(1_000_000).saturating_add(MARGIN)
    }

    /// What is known of it; `None` before the first reading.
    pub(super) fn reading(&self) -> Option<ClockReading> {
        self.process?;
        let mut reading = ClockReading::new(0, self.taken, self.taken);
        (reading.least, reading.most) = (self.offset, self.offset.saturating_add(self.width));
        Some(reading)
    }
}

/// The end of an item that has `left` seconds now, where it is to live until `wanted`; `None`: it does so already. The server's clock shows
/// something between `least` and `most`. Never before the end that it has, and never later than `wanted` by more than that doubt.
pub(super) fn prolonged(left: Option<u64>, wanted: u64, least: u64, most: u64) -> Option<u64> {
    // An item without an end was not written here.
    let left = left?;
    if least.saturating_add(left) >= wanted {
        return None;
    }
    Some(wanted.max(most.saturating_add(left).min(LATEST_END)))
}

fn micros(at: Instant) -> i64 {
    i64::try_from(at.as_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn micros_of(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROCESS: Process = Process { pid: 1, started: 1_700_000_000 };

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_stale_reading_changes_nothing() {
        let mut clock = ServerClock::default();
        assert_eq!(clock.reading(), None);
        clock.begin(PROCESS, 1_700_000_100, at(1_000), at(1_010));
        let end = clock.end(at(61_000), Duration::from_secs(3));
        // It was stopped for a minute and has not looked at its clock yet.
        clock.read(1_700_000_100, at(61_000), at(61_010));
        assert_eq!(clock.end(at(61_000), Duration::from_secs(3)), end);
        assert!(clock.knows(PROCESS) && !clock.knows(Process { pid: 2, ..PROCESS }));
    }

    #[test]
    fn what_it_has_left_is_never_shortened_and_hardly_prolonged_beyond_what_is_wanted() {
        assert_eq!(prolonged(Some(10), 120, 100, 102), Some(120));
        assert_eq!(prolonged(Some(20), 120, 100, 102), None);
        assert_eq!(prolonged(Some(19), 120, 100, 102), Some(121));
        assert_eq!(prolonged(None, 120, 100, 102), None);
        assert_eq!(prolonged(Some(u64::MAX), 120, 100, 102), None);
    }

    proptest! {
        /// Whatever the phase of its ticks and the round trips: an item lives for its TTL at least, and little longer.
        #[test]
        fn an_item_lives_for_its_ttl_at_least(
            difference in 1_600_000_000_000_u64..1_700_000_000_000,
            readings in proptest::collection::vec((0_u64..10_000, 0_u64..400, 0_u64..100), 1..6),
            stale in 0_u64..60_000,
            lasts in 10_u64..100_000,
            later in 0_u64..5_000,
        ) {
            let mut clock = ServerClock::default();
            let mut now = 1_000;
            for (index, (pause, trip, tick)) in readings.into_iter().enumerate() {
                now += pause;
                let read = now + trip / 2;
                // A tick comes up to 100 ms late; later readings may be stale.
                let behind = tick + if index > 0 { stale } else { 0 };
                let shown = (read + difference - behind) / 1_000;
                match index {
                    0 => clock.begin(PROCESS, shown, at(now), at(now + trip)),
                    _ => clock.read(shown, at(now), at(now + trip)),
                }
                now += trip;
            }
            now += later;
            let end = clock.end(at(now), Duration::from_millis(lasts));
            // It is gone when the server's clock shows its end, which it does not before the true clock does.
            prop_assert!(end * 1_000 >= now + difference + lasts);
            prop_assert!(end * 1_000 <= now + difference + lasts + 3_000);
            prop_assert!(clock.at(at(now)) / 1_000 <= now + difference);
            prop_assert!((now + difference) / 1_000 <= clock.most(at(now)));
        }
    }
}
