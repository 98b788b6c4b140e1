//! How long to pause after a failed round.

use std::time::Duration;

use crate::id::Instant;

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
    /// How far the waiters of this lock must spread after a wake-up: one more with every split, one less with every
    /// refusal that was clean.
    spread: u32,
    /// The attempts after wake-ups have used up their share of time up to here.
    spent: Instant,
}

/// The first pause after a split vote: a few round trips.
const SPLIT: Duration = Duration::from_millis(1);
/// The longest pause while too few nodes answer, where the interval is not longer itself.
const UNREACHABLE: Duration = Duration::from_millis(500);
/// Beyond it a pause after a wake-up would not grow any more.
const MOST_SPREAD: u32 = 6;
/// The longest pause after a wake-up, where the interval is not shorter.
const WOKEN: Duration = Duration::from_millis(20);
/// So many wake-ups in a row may bring nothing before they are slowed down to the pace of polling.
const FREE_WAKEUPS: u32 = 3;

impl Backoff {
    /// Polls about every `interval` while somebody holds the lock.
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, splits: 0, unreachable: 0, spread: 0, spent: Instant::from_nanos(0) }
    }

    /// The next pause; `random` is any number. Never zero.
    pub(crate) fn pause(&mut self, situation: Situation, random: u64) -> Duration {
        let longest = match situation {
            Situation::Held { remaining } => {
                self.splits = 0;
                self.spread = self.spread.saturating_sub(1);
                // Once it has expired there, a try is worth it; a moment later, so that it has.
                let free = remaining.map(|left| left.saturating_add(Duration::from_millis(1)));
                free.map_or(self.interval, |free| free.min(self.interval))
            }
            Situation::Split => {
                self.splits = self.splits.saturating_add(1);
                self.spread = self.spread.saturating_add(1).min(MOST_SPREAD);
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

    /// The pause after the nodes have told that the lock may be free; `random` is any number.
    ///
    /// None at first: the lock is free and nobody asks. Where the votes of those who were woken together have split, they
    /// spread; and wake-ups that bring nothing cost no more rounds in the long run than polling would.
    pub(crate) fn pause_when_woken(&mut self, now: Instant, random: u64) -> Duration {
        let longest = self.interval.min(WOKEN);
        let share = longest / 2;
        self.spent = self.spent.max(now.saturating_sub(share * FREE_WAKEUPS)).saturating_add(share);
        if self.spent > now {
            return full_jitter(longest, random);
        }
        match self.spread {
            0 => Duration::ZERO,
            spread => full_jitter(doubled(SPLIT, spread).min(longest), random),
        }
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
