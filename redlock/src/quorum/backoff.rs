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
    /// Several contenders have split the votes: nobody holds it, as far as is known.
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
    /// How many seem to ask at the same moments, in quarters: doubled by every split, one quarter less whenever somebody
    /// else was first.
    contenders: u32,
    /// The attempts after wake-ups have used up their share of time up to here.
    spent: Instant,
}

/// The first pause after a split vote: a few round trips.
const SPLIT: Duration = Duration::from_millis(1);
/// The longest pause after many split votes in a row, where the interval is not longer: fifty who poll every 20 ms on slow
/// machines were found to split each other's votes for ever.
const CROWDED: Duration = Duration::from_millis(256);
/// The longest pause while too few nodes answer, where the interval is not longer itself.
const UNREACHABLE: Duration = Duration::from_millis(500);
/// Beyond it pauses would not grow any more, and be long in shrinking.
const MOST_SPLITS: u32 = 9;
/// In [`Backoff::contenders`]: one, and the most that are reckoned with.
const ONE: u32 = 4;
const MOST_CONTENDERS: u32 = 64 * ONE;
/// The longest pause after a wake-up, where the interval is not shorter.
const WOKEN: Duration = Duration::from_millis(20);
/// So many wake-ups in a row may bring nothing before they are slowed down to the pace of polling.
const FREE_WAKEUPS: u32 = 3;

impl Backoff {
    /// Polls about every `interval` while somebody holds the lock.
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, splits: 0, unreachable: 0, contenders: ONE, spent: Instant::from_nanos(0) }
    }

    /// The next pause; `random` is any number. Never zero.
    pub(crate) fn pause(&mut self, situation: Situation, random: u64) -> Duration {
        let longest = match situation {
            Situation::Held { remaining } => {
                self.splits = self.splits.saturating_sub(1);
                self.contenders = self.contenders.saturating_sub(1).max(ONE);
                // Once it has expired there, a try is worth it; a moment later, so that it has.
                let free = remaining.map(|left| left.saturating_add(Duration::from_millis(1)));
                free.map_or(self.interval, |free| free.min(self.interval))
            }
            Situation::Split => {
                self.splits = self.splits.saturating_add(1).min(MOST_SPLITS);
                self.contenders = self.contenders.saturating_mul(2).min(MOST_CONTENDERS);
                doubled(SPLIT, self.splits).min(self.interval.max(CROWDED))
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

    /// The pause after the nodes have told that the lock may be free; `round` is how long the latest round took, `random` any
    /// number. After a pause that is not zero, look first whether it is free still.
    ///
    /// None at first: the lock is free and nobody asks. Where the votes of those who were woken together have split, about
    /// one of them is to ask at once, and the others one after the other, a round apart, as long as nobody has it. Wake-ups
    /// that bring nothing cost no more rounds in the long run than polling would.
    pub(crate) fn pause_when_woken(&mut self, now: Instant, round: Duration, random: u64) -> Duration {
        let longest = self.longest_when_woken();
        let share = longest / 2;
        self.spent = self.spent.max(now.saturating_sub(share * FREE_WAKEUPS)).saturating_add(share);
        if self.spent > now {
            return full_jitter(longest, random);
        }
        let contenders = self.contenders / ONE;
        match u32::try_from(random % u64::from(contenders)).unwrap_or(0) {
            0 => Duration::ZERO,
            turn => {
                let round = round.min(longest / contenders);
                round.saturating_mul(turn).saturating_add(full_jitter(round, random / u64::from(contenders)))
            }
        }
    }

    /// Somebody else was first during the pause after a wake-up, so that no round was spent. When to ask without being told.
    pub(crate) fn taken_meanwhile(&mut self, random: u64) -> Duration {
        self.spent = self.spent.saturating_sub(self.longest_when_woken() / 2);
        self.pause(Situation::Held { remaining: None }, random)
    }

    fn longest_when_woken(&self) -> Duration {
        self.interval.min(WOKEN)
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
