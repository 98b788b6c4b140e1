//! Until when a session is certain to live. Pure: time comes in as an argument.
//!
//! The leader ends a session when it has had no sign of life from it for the session timeout, counted on its own clock. A
//! sign that we have sent need not have reached it when it is answered: the member that we are connected to answers reads
//! by itself, and passes on whose sessions are alive with its answer to the leader's next ping, each half tick. So:
//!
//! * What was answered so long ago that the member has either passed it on or lost the leader (and us with it) has reached
//!   the leader: that is the *touch delay*, `tickTime` x (`syncLimit` + 1/2) at the most. A leader that stands still for less does
//!   not ping meanwhile, and might end sessions as soon as it goes on, with what it knew before.
//! * A write that succeeds was ordered by the leader, in whose eyes the session lived at that moment.
//! * Together: after a write that was sent at `t` and succeeded, the session lives until the sending of the latest sign that
//!   is older than `t` less the touch delay, and the session timeout from there.
//!
//! Wherever the connection moves in between, or another leader is elected, sessions are touched anew: later than that.
//! The opening of a session is a write itself, and counts from its sending without any delay.

use std::collections::VecDeque;
use std::time::Duration;

use crate::id::Instant;

/// So many are remembered: four of them are sent in one touch delay.
const MOST: usize = 16;

#[derive(Debug)]
pub(super) struct Signs {
    /// Before the session was asked for.
    opened: Instant,
    timeout: Duration,
    delay: Duration,
    /// When those were sent that were answered; the latest last.
    answered: VecDeque<Instant>,
}

impl Signs {
    pub(super) fn new(opened: Instant, timeout: Duration, delay: Duration) -> Self {
        Self { opened, timeout, delay, answered: VecDeque::with_capacity(MOST) }
    }

    /// A request that was sent at this time has been answered.
    pub(super) fn answered(&mut self, sent: Instant) {
        if self.answered.len() >= MOST {
            self.answered.pop_front();
        }
        self.answered.push_back(sent);
    }

    /// Until when the session lives if a write that is sent at `sent` succeeds.
    pub(super) fn lives_until(&self, sent: Instant) -> Instant {
        let is_known = |&&sign: &&Instant| sign.saturating_add(self.delay) <= sent;
        let known = self.answered.iter().rev().find(is_known).copied();
        known.map_or(self.opened, |sign| sign.max(self.opened)).saturating_add(self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn signs() -> Signs {
        Signs::new(at(100), Duration::from_millis(10_000), Duration::from_millis(1_000))
    }

    #[test]
    fn a_new_session_counts_from_before_it_was_asked_for() {
        assert_eq!(signs().lives_until(at(150)), at(10_100));
    }

    #[test]
    fn a_sign_counts_only_once_it_has_reached_the_leader_for_certain() {
        let mut signs = signs();
        signs.answered(at(2_000));
        assert_eq!(signs.lives_until(at(2_999)), at(10_100));
        assert_eq!(signs.lives_until(at(3_000)), at(12_000));
        signs.answered(at(2_500));
        assert_eq!(signs.lives_until(at(3_400)), at(12_000));
        assert_eq!(signs.lives_until(at(3_500)), at(12_500));
    }

    #[test]
    fn what_is_remembered_covers_the_delay_and_does_not_grow() {
        let mut signs = signs();
        for sign in 0..1_000 {
            signs.answered(at(sign * 250));
        }
        assert_eq!(signs.answered.len(), MOST);
        assert_eq!(signs.lives_until(at(249_750)), at(248_750 + 10_000));
    }
}
