//! A node's own time, as far as answers have shown it.
//!
//! A request's deadline must be stated in the node's time, because a stopped server knows nothing of ours. The sample
//! with the smallest round trip bounds the offset best (Cristian's algorithm).

use std::time::Duration;

use crate::id::Instant;

/// Clocks drift apart: a sample is taken for worse by its age divided by this than it was.
const AGEING: u32 = 100;

/// What one answer showed of a node's clock. The node read it between the sending of the request and the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClockReading {
    /// `node time - our time` is no less than this, in microseconds.
    pub least: i64,
    /// And no more than this.
    pub most: i64,
    /// When the answer came.
    pub taken: Instant,
}

impl ClockReading {
    /// The node's clock stood at `node_micros` somewhere between `sent` and `received`.
    pub fn new(node_micros: u64, sent: Instant, received: Instant) -> Self {
        let offset = |at: Instant| micros(node_micros).saturating_sub(micros(at.as_nanos() / 1_000));
        Self { least: offset(received), most: offset(sent), taken: received }
    }

    /// The node's time when ours is `now`, in microseconds.
    pub fn at(&self, now: Instant) -> u64 {
        shift(now, self.middle())
    }

    /// How far the most likely offset may be wrong, either way.
    pub(crate) fn error(&self) -> Duration {
        Duration::from_micros(self.most.abs_diff(self.least) / 2)
    }

    /// The most likely offset.
    pub(crate) fn middle(&self) -> i64 {
        self.least.saturating_add(self.most.saturating_sub(self.least) / 2)
    }
}

/// An estimate of `node time - our time`, in microseconds. Pure: time comes in as an argument.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeClock {
    sample: Option<Sample>,
    latest: Option<ClockReading>,
    /// The largest offset a deadline was ever stated with. A request that was never answered is settled only when the
    /// node's time has passed the deadline that it *carried*, which a later, smaller offset would understate.
    highest: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// The node's time can be ahead of ours by no less than this.
    offset: i64,
    round_trip: Duration,
    taken: Instant,
}

impl NodeClock {
    /// Takes the node's time, in microseconds since its epoch, out of an answer to a request sent at `sent`.
    pub(crate) fn sample(&mut self, node_micros: u64, sent: Instant, received: Instant) {
        if self.latest.is_none_or(|latest| latest.taken <= received) {
            self.latest = Some(ClockReading::new(node_micros, sent, received));
        }
        let new = Sample {
            // The node read its clock before we received the answer: this errs towards an early deadline, by at most
            // the round trip. A request that is refused too early costs a try; one that runs too late, a lock.
            offset: micros(node_micros).saturating_sub(micros(received.as_nanos() / 1_000)),
            round_trip: received.saturating_since(sent),
            taken: received,
        };
        let keep = self.sample.is_some_and(|old| {
            let doubt = old.round_trip.saturating_add(received.saturating_since(old.taken) / AGEING);
            // A node whose clock was set has an offset that no round trip explains.
            let spread = doubt.max(new.round_trip).as_micros();
            let agrees = u128::from(old.offset.abs_diff(new.offset)) <= spread + 1_000;
            agrees && doubt <= new.round_trip
        });
        if !keep {
            self.sample = Some(new);
        }
    }

    /// Another server, with a clock of its own, answers from now on. What was stated in its predecessor's time stays.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "nobody else changes servers"))]
    pub(crate) fn begin_anew(&mut self) {
        (self.sample, self.latest) = (None, None);
    }

    /// The node's time when ours is `now`, in microseconds, or a little less; `None` before the first sample.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "nobody else has nodes of nodes"))]
    pub(crate) fn at(&self, now: Instant) -> Option<u64> {
        self.sample.map(|sample| shift(now, sample.offset))
    }

    /// `at` in the node's time, in microseconds; `None` before the first sample.
    pub(crate) fn deadline(&mut self, at: Instant) -> Option<u64> {
        let offset = self.sample?.offset;
        self.highest = Some(self.highest.map_or(offset, |highest| highest.max(offset)));
        Some(shift(at, offset))
    }

    /// What the latest answer showed.
    pub(crate) fn latest(&self) -> Option<ClockReading> {
        self.latest
    }

    /// The node's time that has certainly passed every deadline stated for `at`; `None` if none was ever stated.
    pub(crate) fn settled_after(&self, at: Instant) -> Option<u64> {
        self.highest.map(|offset| shift(at, offset))
    }
}

fn shift(at: Instant, offset: i64) -> u64 {
    u64::try_from(micros(at.as_nanos() / 1_000).saturating_add(offset)).unwrap_or(0)
}

fn micros(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    #[test]
    fn a_deadline_is_never_later_in_the_nodes_time_than_it_should_be() {
        let mut clock = NodeClock::default();
        assert_eq!(clock.deadline(at(5)), None);
        // True offset 1,000,000; request out 300 us, answer back 100 us.
        clock.sample(1_000_000 + 1_300, at(1_000), at(1_400));
        assert_eq!(clock.deadline(at(2_000)), Some(1_001_900));
    }

    #[test]
    fn the_sample_with_the_smallest_round_trip_wins_while_it_is_fresh() {
        let mut clock = NodeClock::default();
        clock.sample(1_000_050, at(0), at(100));
        clock.sample(1_000_400, at(200), at(900));
        assert_eq!(clock.deadline(at(0)), Some(999_950));
        clock.sample(11_000_500, at(10_000_200), at(10_000_900));
        assert_eq!(
            clock.deadline(at(0)),
            Some(999_600),
            "an old sample is replaced by one that is a little slower"
        );
    }

    #[test]
    fn an_answer_that_lay_unread_does_not_make_deadlines_early() {
        let mut clock = NodeClock::default();
        clock.sample(1_000_050, at(0), at(100));
        clock.sample(21_000_100, at(20_000_000), at(23_000_000));
        assert_eq!(clock.deadline(at(0)), Some(999_950));
    }

    #[test]
    fn another_server_has_another_clock_however_close_and_old_deadlines_count_in_the_old_one() {
        let mut clock = NodeClock::default();
        clock.sample(1_000_050, at(0), at(100));
        assert_eq!(clock.deadline(at(0)), Some(999_950));
        clock.begin_anew();
        assert_eq!((clock.deadline(at(0)), clock.at(at(0))), (None, None));
        clock.sample(1_000_000, at(200), at(900));
        assert_eq!(clock.deadline(at(0)), Some(999_100), "a slower sample of its own");
        assert_eq!(clock.settled_after(at(0)), Some(999_950));
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once() {
        let mut clock = NodeClock::default();
        clock.sample(1_000_050, at(0), at(100));
        clock.sample(61_000_450, at(200), at(900));
        assert_eq!(clock.deadline(at(0)), Some(60_999_550));
        clock.sample(1_000_650, at(1_000), at(1_100));
        assert_eq!(clock.deadline(at(0)), Some(999_550));
        assert_eq!(
            clock.settled_after(at(0)),
            Some(60_999_550),
            "what was stated under the other clock is not forgotten"
        );
    }
}
