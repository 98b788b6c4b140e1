//! Whether a change of a key is a release, told without a look by when it comes.
//!
//! Renewals come when about a third of the TTL has passed, hardly before; so a change that finds nearly all of it left is
//! no renewal, and a look would only be a round trip between a release and the next holder. A guess that is wrong costs the
//! waiter a round that is refused. So who has guessed in vain looks for a while: holders may be extended by hand all the
//! time, and where several wait a look shows who was first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::look::Seen;
use crate::id::Instant;

/// A key that is held so soon after it was taken for free was not free, or others were first.
const SOON: Duration = Duration::from_millis(5);
/// How long every change is then looked at.
const LOOK_FOR: Duration = Duration::from_secs(10);
/// Beyond so many keys all is forgotten.
const MOST_KEYS: usize = 4_096;

/// What was seen of the keys that are or were watched.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<HashMap<Vec<u8>, Known>>);

/// Of one key.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// When the holder's time ends.
    ends: Instant,
    /// The longest that it had left, which is its TTL once a renewal was seen.
    longest: Duration,
    /// When it was last taken for free.
    guessed: Option<Instant>,
    /// Until then there is no guess.
    look_until: Instant,
}

impl Guesses {
    /// Notes what a look has shown.
    pub(super) fn seen(&self, key: &[u8], seen: Seen, now: Instant) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            Seen::Held(Some(left)) => {
                if keys.len() >= MOST_KEYS && !keys.contains_key(key) {
                    keys.clear();
                }
                keys.entry(key.to_vec()).or_insert_with(|| Known::new(now)).held(left, now);
            }
            Seen::Free => {
                if let Some(known) = keys.get_mut(key) {
                    known.longest = Duration::ZERO;
                    known.ends = now;
                }
            }
            // Without an end nothing can be said of its renewals.
            Seen::Held(None) | Seen::Unknown => drop(keys.remove(key)),
        }
    }

    /// Whether a change that is told now is a release, as far as can be said without a look.
    pub(super) fn is_release(&self, key: &[u8], now: Instant) -> bool {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = keys.get_mut(key) else { return false };
        // At the earliest a renewal comes when 5/18 of the TTL have passed.
        let early = known.ends.saturating_since(now) > known.longest / 4 * 3;
        let guess = early && !known.longest.is_zero() && now >= known.look_until;
        if guess {
            known.guessed = Some(now);
        }
        guess
    }
}

impl Known {
    fn new(now: Instant) -> Self {
        let look_until = Instant::from_nanos(0);
        Self { ends: now, longest: Duration::ZERO, guessed: None, look_until }
    }

    fn held(&mut self, left: Duration, now: Instant) {
        self.ends = now.saturating_add(left);
        match self.guessed.take() {
            Some(guessed) if now.saturating_since(guessed) <= SOON => {
                // A renewal that shows how long the TTL is would not be taken for a release again.
                if left <= self.longest.saturating_add(self.longest / 16) {
                    self.look_until = now.saturating_add(LOOK_FOR);
                }
                self.longest = self.longest.max(left);
            }
            // Another holder.
            Some(_) => self.longest = left,
            None => self.longest = self.longest.max(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"key";

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(1_000_000_000_000 + millis * 1_000_000)
    }

    fn held(millis: u64) -> Seen {
        Seen::Held(Some(Duration::from_millis(millis)))
    }

    #[test]
    fn a_change_is_a_release_as_long_as_no_renewal_can_be_due() {
        for (after, release) in [(1, true), (240, true), (260, false), (999, false), (5_000, false)] {
            let guesses = Guesses::default();
            guesses.seen(KEY, held(1_000), at(0));
            assert_eq!(guesses.is_release(KEY, at(after)), release, "{after} ms");
        }
    }

    #[test]
    fn nothing_is_guessed_of_a_key_that_is_unknown_free_or_without_an_end() {
        for last in [Seen::Unknown, Seen::Free, Seen::Held(None)] {
            let guesses = Guesses::default();
            assert!(!guesses.is_release(KEY, at(0)));
            guesses.seen(KEY, held(1_000), at(0));
            guesses.seen(KEY, last, at(1));
            assert!(!guesses.is_release(KEY, at(2)), "{last:?}");
        }
    }

    #[test]
    fn who_comes_in_the_middle_of_a_ttl_takes_one_renewal_for_a_release_and_no_other() {
        let guesses = Guesses::default();
        guesses.seen(KEY, held(700), at(300));
        assert!(guesses.is_release(KEY, at(310)));
        guesses.seen(KEY, held(1_000), at(311));
        assert!(!guesses.is_release(KEY, at(311 + 280)));
        guesses.seen(KEY, held(1_000), at(592));
        assert!(guesses.is_release(KEY, at(600)), "it is much too early for a renewal");
    }

    #[test]
    fn after_a_guess_in_vain_every_change_is_looked_at_for_a_while() {
        let guesses = Guesses::default();
        guesses.seen(KEY, held(1_000), at(0));
        assert!(guesses.is_release(KEY, at(100)));
        guesses.seen(KEY, held(999), at(101));
        assert!(!guesses.is_release(KEY, at(102)));
        guesses.seen(KEY, held(1_000), at(10_000));
        assert!(!guesses.is_release(KEY, at(10_100)));
        guesses.seen(KEY, held(1_000), at(10_102));
        assert!(guesses.is_release(KEY, at(10_103)));
    }

    #[test]
    fn a_guess_that_was_right_leads_to_the_next() {
        let guesses = Guesses::default();
        for turn in 0..10 {
            guesses.seen(KEY, held(1_000), at(turn * 50));
            assert!(guesses.is_release(KEY, at(turn * 50 + 25)));
        }
    }

    #[test]
    fn another_holder_may_have_a_shorter_ttl() {
        let guesses = Guesses::default();
        guesses.seen(KEY, held(10_000), at(0));
        assert!(guesses.is_release(KEY, at(1)));
        guesses.seen(KEY, held(1_000), at(100));
        assert!(guesses.is_release(KEY, at(101)));
    }

    #[test]
    fn what_is_known_is_bounded() {
        let guesses = Guesses::default();
        for key in 0..3 * MOST_KEYS {
            guesses.seen(&key.to_le_bytes(), held(1_000), at(0));
        }
        assert!(guesses.0.lock().unwrap().len() <= MOST_KEYS);
    }
}
