//! Which nodes' clocks can be trusted (design, section 4, "Clocks of nodes").
//!
//! A node expires keys by its own clock. If that was set forward, it grants what somebody still holds. Nothing but the clocks of
//! the others and our own can show it: the change of `node time - our time` within the longest TTL must stay within the drift
//! that every validity sets aside. A lock that is held now was granted or extended no longer ago.

use std::collections::VecDeque;
use std::time::Duration;

use crate::id::{Instant, Ttl};

use super::{DriftFactor, Quorum};

/// Readings are gathered in so many slots a window.
const SLOTS: u32 = 16;

/// The watch over all nodes' clocks.
#[derive(Debug, Clone)]
pub(crate) struct Clocks {
    quorum: Quorum,
    /// The longest TTL, drift included.
    window: Duration,
    budget: Budget,
    watches: Vec<Watch>,
}

/// How far a clock may move, which is what validities set aside.
#[derive(Debug, Clone, Copy)]
struct Budget {
    /// For a lock of the usual TTL, in microseconds.
    least: i64,
    drift: DriftFactor,
    window: Duration,
}

impl Budget {
    /// What the rates of two honest clocks explain after this time, in microseconds.
    fn honest(&self, time: Duration) -> i64 {
        micros(self.drift.share(time)).max(self.least)
    }

    /// What a lock survives that was granted no longer ago than this, in microseconds. `doubt` is what one cannot know about it.
    fn harmless(&self, time: Duration, doubt: i64) -> i64 {
        let budget = self.honest(time.min(self.window));
        budget.saturating_sub(doubt).max(budget / 2)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

/// The watch over one node's clock.
#[derive(Debug, Clone, Default)]
struct Watch {
    /// What the offset was since the clock moved last, oldest first. The first one may be older than the window.
    slots: VecDeque<Slot>,
    latest: Option<Slot>,
    /// The reading before the latest.
    previous: Option<Slot>,
    moved: Option<Moved>,
    /// It has moved, or ours has: that it agrees with the others says nothing before this point.
    median_counts_from: Option<Instant>,
}

/// What one or several readings have shown of the offset `node time - our time`, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// When the first request was sent.
    from: Instant,
    /// When the last answer came.
    to: Instant,
    /// At one moment of this time it was no less than this,
    least: i64,
    /// and at one, perhaps another, no more than this.
    most: i64,
}

/// A clock has moved by more than its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// By how much it is ahead of what it was, in microseconds; negative: behind.
    pub(crate) by: i64,
    /// When it was noticed.
    pub(crate) at: Instant,
    /// When it was read last before.
    good_until: Instant,
    /// What the offset was before, in microseconds.
    pub(crate) before: i64,
}

/// Whether a node's clock can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Trusted,
    /// It has moved.
    Moved(Moved),
    /// It has not been watched for long enough, and differs from the others' by this much, in microseconds (`None`: not
    /// enough of them are known).
    Unwatched(Option<i64>),
}

/// Whose clock is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Culprit {
    /// Nobody's: no clock has moved.
    None,
    /// Too few other clocks have been read since.
    Undecided,
    /// It was not found out for so long that everything held then has ended: these nodes are watched anew.
    Past(Vec<(usize, Moved)>),
    /// Ours: a quorum of the others has moved the same way.
    Own,
    /// These nodes'.
    Nodes(Vec<(usize, Moved)>),
}

impl Clocks {
    /// `window`: the longest TTL, drift included; `ttl`: the usual one. A lock with a shorter TTL sets less aside than a clock may
    /// move unnoticed.
    pub(crate) fn new(quorum: Quorum, window: Duration, ttl: Ttl, drift: DriftFactor) -> Self {
        let budget = Budget { least: micros(drift.allowance(ttl)), drift, window };
        let watches = vec![Watch::default(); quorum.nodes()];
        Self { quorum, window, budget, watches }
    }

    /// Takes in that the offset of a node's clock was between `least` and `most` at `taken`.
    pub(crate) fn observe(&mut self, node: usize, least: i64, most: i64, taken: Instant) {
        let budget = self.budget;
        if let Some(watch) = self.watches.get_mut(node) {
            // The bounds are as far apart as request and answer.
            let round_trip = u64::try_from(most.saturating_sub(least)).unwrap_or(0);
            let sent = taken.saturating_sub(Duration::from_micros(round_trip));
            watch.observe(Slot { from: sent, to: taken, least, most }, &budget);
        }
    }

    /// Whether the node's vote may count.
    pub(crate) fn trust(&self, node: usize, now: Instant) -> Trust {
        let Some(watch) = self.watches.get(node) else { return Trust::Unwatched(None) };
        if let Some(moved) = watch.moved {
            return Trust::Moved(moved);
        }
        if watch.is_mature(now, self.window) && !watch.may_have_jumped(&self.budget) {
            return Trust::Trusted;
        }
        let distance = self.distance_from_median(node, now);
        let near = distance.is_some_and(|distance| distance.abs() <= self.budget.least / 2);
        let counts = watch.median_counts_from.is_none_or(|from| now >= from);
        if near && counts { Trust::Trusted } else { Trust::Unwatched(distance) }
    }

    /// How far a node's clock is ahead of the median of those known, at least; `None` if fewer than a quorum are.
    fn distance_from_median(&self, node: usize, now: Instant) -> Option<i64> {
        let recent = |watch: &Watch| {
            watch.latest.filter(|read| now.saturating_since(read.to) <= self.window).map(|read| read.middle())
        };
        // This is asked for every vote: no allocation.
        let mut all = [0; Quorum::MAX_NODES];
        let mut count = 0;
        for (slot, offset) in all.iter_mut().zip(self.watches.iter().filter_map(recent)) {
            (*slot, count) = (offset, count + 1);
        }
        let known = &mut all[..count];
        if known.len() < self.quorum.size() {
            return None;
        }
        known.sort_unstable();
        let median = known[known.len() / 2];
        let read = self.watches.get(node)?.latest?;
        Some(if median < read.least {
            read.least.saturating_sub(median)
        } else if median > read.most {
            read.most.saturating_sub(median)
        } else {
            0
        })
    }

    /// Whether any clock has moved and was not dealt with yet.
    pub(crate) fn any_moved(&self) -> bool {
        self.watches.iter().any(|watch| watch.moved.is_some())
    }

    /// Whose clock is wrong, where one has moved.
    pub(crate) fn culprit(&self, now: Instant) -> Culprit {
        let moved: Vec<(usize, Moved)> =
            self.watches.iter().enumerate().filter_map(|(node, watch)| Some((node, watch.moved?))).collect();
        let Some(first) = moved.iter().map(|(_, moved)| moved.at).min() else { return Culprit::None };
        // If it is our clock, all of them have moved the same way.
        let ahead = moved.iter().filter(|(_, moved)| moved.by > 0).count();
        if ahead.max(moved.len() - ahead) >= self.quorum.size() {
            return Culprit::Own;
        }
        // Ours has not moved if it still agrees with others that were read before it could have, and asked since.
        let before = moved.iter().map(|(_, moved)| moved.good_until).min().unwrap_or(first);
        let steady = |watch: &&Watch| {
            watch.moved.is_none()
                && watch.latest.is_some_and(|read| read.from > first)
                && watch.slots.front().is_some_and(|slot| slot.from <= before)
        };
        if self.watches.iter().filter(steady).count() >= self.quorum.size() {
            return Culprit::Nodes(moved);
        }
        let is_past = |(_, moved): &(usize, Moved)| now.saturating_since(moved.at) >= self.window;
        let past: Vec<(usize, Moved)> = moved.into_iter().filter(is_past).collect();
        if past.is_empty() { Culprit::Undecided } else { Culprit::Past(past) }
    }

    /// A node's clock has been dealt with. That it agrees with the others counts for nothing until every lock that was held at
    /// `then` has ended.
    pub(crate) fn forget(&mut self, node: usize, then: Instant) {
        let counts_from = then.saturating_add(self.window);
        if let Some(watch) = self.watches.get_mut(node) {
            if watch.moved.take().is_none() {
                *watch = Watch::default();
            }
            watch.median_counts_from = Some(counts_from);
        }
    }

    /// The same of all clocks: our own was wrong.
    pub(crate) fn forget_all(&mut self, then: Instant) {
        (0..self.watches.len()).for_each(|node| self.forget(node, then));
    }
}

impl Watch {
    fn observe(&mut self, new: Slot, budget: &Budget) {
        if self.latest.is_some_and(|latest| new.to < latest.to) {
            return;
        }
        self.previous = self.latest.replace(new);
        if let Some((by, before)) = self.jump(&new, budget) {
            let good_until = self.previous.map_or(new.from, |previous| previous.to);
            // After a long silence it says nothing about what is held now.
            let is_recent = new.to.saturating_since(good_until) <= budget.window;
            if is_recent && self.moved.is_none() {
                self.moved = Some(Moved { by, at: new.to, good_until, before });
            }
            self.slots.clear();
            self.previous = None;
        }
        let length = budget.window / SLOTS;
        match self.slots.back_mut() {
            Some(last) if new.to.saturating_since(last.from) < length => last.narrow(&new),
            _ => self.slots.push_back(new),
        }
        // One that is older than the window stays: it is what the clock is compared with.
        while self.slots.get(1).is_some_and(|second| new.to.saturating_since(second.to) >= budget.window) {
            self.slots.pop_front();
        }
    }

    /// What a reading is compared with.
    fn earlier(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().chain(&self.previous)
    }

    /// By how much the clock has certainly moved since an earlier reading, where honest rates do not explain it; and what its
    /// offset was then.
    fn jump(&self, new: &Slot, budget: &Budget) -> Option<(i64, i64)> {
        self.earlier().find_map(|old| {
            let (ahead, behind) = (new.least.saturating_sub(old.most), old.least.saturating_sub(new.most));
            // Nearly always; no limit is below the least, whose computation is left out here.
            if ahead.max(behind) <= budget.least {
                return None;
            }
            let limit = budget.honest(new.to.saturating_since(old.from));
            if ahead > limit {
                Some((ahead, old.most))
            } else {
                (behind > limit).then_some((-behind, old.least))
            }
        })
    }

    /// Whether it may be ahead by more than locks survive that are held now.
    ///
    /// What is not known about the latest reading does no harm: a clock that is ahead by so much more has answered so much
    /// earlier than we count its vote. What is not known about the earlier one does.
    fn may_have_jumped(&self, budget: &Budget) -> bool {
        let Some(new) = self.latest else { return true };
        self.earlier().any(|old| {
            let ahead = new.least.saturating_sub(old.most);
            let doubt = old.most.saturating_sub(old.least).max(0);
            // No limit is below half of the least, as above.
            ahead > budget.least / 2 && ahead > budget.harmless(new.to.saturating_since(old.from), doubt)
        })
    }

    /// Whether there is a reading before everything that is held now was granted.
    fn is_mature(&self, now: Instant, window: Duration) -> bool {
        let old = self.slots.front().is_some_and(|first| now.saturating_since(first.from) >= window);
        old && self.latest.is_some_and(|latest| now.saturating_since(latest.to) <= window)
    }
}

impl Slot {
    fn middle(&self) -> i64 {
        self.least.saturating_add(self.most.saturating_sub(self.least) / 2)
    }

    /// Takes a later reading in. A clock that drifts leaves bounds that cross; each holds of its own moment.
    fn narrow(&mut self, other: &Self) {
        self.least = self.least.max(other.least);
        self.most = self.most.min(other.most);
        self.to = other.to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);
    const START: u64 = 1_000_000;

    struct World {
        clocks: Clocks,
        offsets: [i64; 5],
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            let quorum = Quorum::majority(5).unwrap();
            let clocks =
                Clocks::new(quorum, WINDOW, Ttl::from_const(Duration::from_secs(10)), DriftFactor::DEFAULT);
            Self { clocks, offsets: [7_000; 5], now: Instant::from_nanos(START * 1_000_000_000) }
        }

        fn read(&mut self, node: usize) {
            let offset = self.offsets[node];
            self.clocks.observe(node, offset - 200, offset + 200, self.now);
        }

        /// Reads every second for so long.
        fn watch(&mut self, seconds: u64) {
            for _ in 0..seconds {
                self.now = self.now.saturating_add(Duration::from_secs(1));
                (0..5).for_each(|node| self.read(node));
            }
        }

        fn trusted(&self) -> Vec<usize> {
            (0..5).filter(|&node| self.clocks.trust(node, self.now) == Trust::Trusted).collect()
        }
    }

    #[test]
    fn a_fresh_client_trusts_clocks_that_are_near_the_median_of_a_quorum() {
        let mut world = World::new();
        world.offsets[4] = 60_000_000;
        world.read(0);
        world.read(1);
        assert!(world.trusted().is_empty(), "two of five say nothing");
        (2..5).for_each(|node| world.read(node));
        assert_eq!(world.trusted(), [0, 1, 2, 3]);
        world.watch(29);
        assert_eq!(world.trusted(), [0, 1, 2, 3]);
        world.watch(2);
        assert_eq!(world.trusted(), [0, 1, 2, 3, 4], "watched for longer than anything is held, it counts");
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_with_the_first_reading_and_blamed_when_the_others_have_been_read() {
        for by in [60_000_000, -60_000_000] {
            let mut world = World::new();
            world.watch(100);
            world.offsets[2] += by;
            world.read(2);
            assert_eq!(world.trusted(), [0, 1, 3, 4]);
            assert_eq!(world.clocks.culprit(world.now), Culprit::Undecided);
            world.now = world.now.saturating_add(Duration::from_millis(1));
            [0, 1, 3].into_iter().for_each(|node| world.read(node));
            let Culprit::Nodes(nodes) = world.clocks.culprit(world.now) else { panic!() };
            assert_eq!(nodes.len(), 1);
            assert!(nodes[0].0 == 2 && nodes[0].1.by.abs_diff(by) < 1_000, "{nodes:?}");
            world.clocks.forget(2, world.now);
            assert_eq!(world.trusted(), [0, 1, 3, 4], "far from the median until it has been watched again");
            world.watch(31);
            assert_eq!(world.trusted().len(), 5);
        }
    }

    #[test]
    fn a_quorum_that_moves_together_means_that_our_clock_is_wrong_and_then_agreement_counts_for_nothing() {
        let mut world = World::new();
        world.watch(100);
        world.offsets.iter_mut().for_each(|offset| *offset += 5_000_000);
        (0..3).for_each(|node| world.read(node));
        assert_eq!(world.clocks.culprit(world.now), Culprit::Own);
        world.clocks.forget_all(world.now);
        (0..5).for_each(|node| world.read(node));
        world.watch(29);
        assert!(world.trusted().is_empty());
        world.watch(2);
        assert_eq!(world.trusted().len(), 5);
    }

    #[test]
    fn clocks_that_move_apart_are_not_in_doubt_for_ever() {
        let mut world = World::new();
        world.watch(100);
        for (node, by) in [(0, 60_000_000), (1, 5_000_000), (2, -60_000_000), (3, -5_000_000)] {
            world.offsets[node] += by;
        }
        world.watch(1);
        assert_eq!(world.clocks.culprit(world.now), Culprit::Undecided);
        world.watch(31);
        let Culprit::Past(nodes) = world.clocks.culprit(world.now) else { panic!() };
        assert_eq!(nodes.iter().map(|(node, _)| *node).collect::<Vec<_>>(), [0, 1, 2, 3]);
        nodes.iter().for_each(|(node, _)| world.clocks.forget(*node, world.now));
        world.watch(32);
        assert_eq!(world.trusted().len(), 5);
    }

    #[test]
    fn a_clock_that_slews_is_noticed_before_a_lock_can_be_lost_by_it() {
        let mut world = World::new();
        world.watch(100);
        for seconds in 1.. {
            world.offsets[0] += 80_000;
            world.watch(1);
            if world.trusted().len() < 5 {
                assert!(seconds <= 2);
                break;
            }
        }
    }

    #[test]
    fn clocks_whose_rates_differ_as_much_as_the_drift_allows_for_are_trusted() {
        let mut world = World::new();
        for _ in 0..300 {
            world.offsets.iter_mut().for_each(|offset| *offset += 9_000);
            world.watch(1);
            assert_eq!(world.trusted().len(), 5);
        }
    }

    #[test]
    fn an_honest_clock_is_trusted_for_ever_also_after_it_was_not_looked_at_for_a_day() {
        let mut world = World::new();
        for day in 0..3 {
            for _ in 0..600 {
                world.offsets[1] += 200;
                world.watch(1);
                assert_eq!(world.trusted().len(), 5, "{day}");
            }
            world.now = world.now.saturating_add(Duration::from_secs(86_400));
            world.offsets[1] += 4_000_000;
            (0..5).for_each(|node| world.read(node));
            assert!(!world.clocks.any_moved());
            assert_eq!(world.trusted(), [0, 2, 3, 4], "far from the median and not watched");
            world.watch(31);
            assert_eq!(world.trusted().len(), 5);
        }
    }

    #[test]
    fn slow_answers_do_not_make_an_honest_clock_suspect() {
        let mut world = World::new();
        world.watch(100);
        world.clocks.observe(0, world.offsets[0] - 900_000, world.offsets[0] + 10, world.now);
        world.clocks.observe(0, world.offsets[0] - 10, world.offsets[0] + 900_000, world.now);
        assert!(!world.clocks.any_moved());
    }

    #[test]
    fn a_single_node_is_its_own_median() {
        let ttl = Ttl::from_const(Duration::from_secs(10));
        let mut clocks = Clocks::new(Quorum::majority(1).unwrap(), WINDOW, ttl, DriftFactor::DEFAULT);
        let now = Instant::from_nanos(START);
        assert_eq!(clocks.trust(0, now), Trust::Unwatched(None));
        clocks.observe(0, 5, 10, now);
        assert_eq!(clocks.trust(0, now), Trust::Trusted);
    }
}
