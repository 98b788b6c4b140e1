//! What is to be renewed when: by time until it is due, and then by what it would be lost at. Pure: no clock, no lease.
//!
//! With 100,000 locks each of these steps is taken some 30,000 times a second, and a lock that is released at once takes
//! two of them; so places are numbered, points in time are few (see [`Grid`]), and nothing is searched for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use crate::id::Instant;

/// A place in the plan: its index, and how many were there before it, so that a place that was given to somebody else
/// is not mistaken for one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    index: u32,
    generation: u32,
}

/// When something is due, and how long that can wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) due: Instant,
    /// Until then others may have their turn first.
    pub(super) urgent: Instant,
    /// It is lost then, unless it is renewed before.
    pub(super) end: Instant,
}

/// Everything that is renewed, of whatever kind.
#[derive(Debug)]
pub(super) struct Plan<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    /// Indices by the time when they are due.
    times: BTreeMap<Instant, Vec<u32>>,
    /// What is due and waits for its turn: what ends first comes first. Those that have gone meanwhile are passed over.
    backlog: BinaryHeap<Reverse<(Instant, Place)>>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    /// Its index in the list of those that are due at the same time.
    at: u32,
    /// It is in that list: neither in the backlog nor being renewed.
    listed: bool,
    times: Times,
    value: Option<T>,
}

impl<T> Default for Plan<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), times: BTreeMap::new(), backlog: BinaryHeap::new() }
    }
}

impl<T> Plan<T> {
    pub(super) fn add(&mut self, value: T, times: Times) -> Place {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, at: 0, listed: false, times, value: None });
            // No process has four billion locks: each takes hundreds of bytes.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let place = match self.slots.get_mut(index as usize) {
            Some(slot) => {
                slot.value = Some(value);
                Place { index, generation: slot.generation }
            }
            None => Place { index, generation: 0 },
        };
        self.schedule(place, times);
        place
    }

    pub(super) fn get(&self, place: Place) -> Option<&T> {
        let slot = self.slots.get(place.index as usize)?;
        slot.value.as_ref().filter(|_| slot.generation == place.generation)
    }

    /// Takes it out; `None` if it has gone already.
    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        self.get(place)?;
        self.unschedule(place.index);
        let slot = self.slots.get_mut(place.index as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(place.index);
        slot.value.take()
    }

    /// It is due then, whatever was planned before; `false` if it has gone.
    pub(super) fn schedule(&mut self, place: Place, times: Times) -> bool {
        if self.get(place).is_none() {
            return false;
        }
        self.unschedule(place.index);
        let indices = self.times.entry(times.due).or_default();
        indices.push(place.index);
        if let Some(slot) = self.slots.get_mut(place.index as usize) {
            slot.listed = true;
            slot.times = times;
            slot.at = u32::try_from(indices.len() - 1).unwrap_or(u32::MAX);
        }
        true
    }

    fn unschedule(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if !std::mem::take(&mut slot.listed) {
            return;
        }
        let (at, due) = (slot.at as usize, slot.times.due);
        let Some(indices) = self.times.get_mut(&due) else { return };
        indices.swap_remove(at);
        if let Some(moved) = indices.get(at).and_then(|&moved| self.slots.get_mut(moved as usize)) {
            moved.at = u32::try_from(at).unwrap_or(u32::MAX);
        }
        if indices.is_empty() {
            self.times.remove(&due);
        }
    }

    /// Moves what is due to the backlog.
    pub(super) fn fall_due(&mut self, now: Instant) {
        while let Some(first) = self.times.first_entry().filter(|first| *first.key() <= now) {
            for index in first.remove() {
                let Some(slot) = self.slots.get_mut(index as usize) else { continue };
                slot.listed = false;
                let place = Place { index, generation: slot.generation };
                self.backlog.push(Reverse((slot.times.end, place)));
            }
        }
    }

    /// Takes the one that ends first out of the backlog, unless it `waits`, which may depend on whether it is urgent.
    pub(super) fn take_due(&mut self, now: Instant, waits: impl FnOnce(bool) -> bool) -> Option<(Place, &T)> {
        while let Some(&Reverse((_, place))) = self.backlog.peek() {
            if self.get(place).is_some() {
                break;
            }
            self.backlog.pop();
        }
        let &Reverse((_, place)) = self.backlog.peek()?;
        let urgent = now > self.slots.get(place.index as usize)?.times.urgent;
        if waits(urgent) {
            return None;
        }
        self.backlog.pop();
        Some((place, self.get(place)?))
    }

    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// When something is due next, the backlog apart.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.times.first_key_value().map(|(&due, _)| due)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }
}

/// Rounds points in time down to a grid, so that what is due at about the same time is due at the same time: one wake-up
/// for all, and requests that a node can take together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// Where it begins: clients of one machine are not to go in step.
    phase: u64,
}

impl Grid {
    /// The widest mesh: some 8 ms, a power of two.
    const WIDEST: u64 = 1 << 23;
    /// The mesh is at most this part of a TTL.
    const OF_TTL: u64 = 64;

    pub(super) fn new(random: u64) -> Self {
        Self { phase: random % Self::WIDEST }
    }

    /// The last point of the grid for this TTL at or before `at`. All grids share their points.
    pub(super) fn before(self, at: Instant, ttl: Duration) -> Instant {
        let widest = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX) / Self::OF_TTL;
        let mesh = 1 << widest.clamp(1, Self::WIDEST).ilog2();
        let since = at.as_nanos().saturating_sub(self.phase);
        Instant::from_nanos(since - since % mesh + self.phase.min(at.as_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn times(due: u64, end: u64) -> Times {
        Times { due: at(due), urgent: at(end), end: at(end) }
    }

    fn taken(plan: &mut Plan<u64>, most: usize) -> Vec<u64> {
        (0..most).map_while(|_| plan.take_due(at(0), |_| false).map(|(_, &end)| end)).collect()
    }

    #[test]
    fn what_is_due_comes_in_the_order_in_which_it_would_be_lost() {
        let mut plan = Plan::default();
        for (due, end) in [(10, 90), (20, 50), (30, 70), (40, 60)] {
            plan.add(end, times(due, end));
        }
        plan.fall_due(at(30));
        assert_eq!(taken(&mut plan, 2), [50, 70]);
        plan.fall_due(at(40));
        assert_eq!(taken(&mut plan, 9), [60, 90]);
        assert_eq!((plan.next_time(), plan.len()), (None, 4));
    }

    #[test]
    fn what_has_gone_is_neither_due_nor_mistaken_for_what_took_its_place() {
        let mut plan = Plan::default();
        let places: Vec<_> = (0..5).map(|end| plan.add(end, times(1, end))).collect();
        assert_eq!(plan.remove(places[1]), Some(1));
        assert_eq!(plan.remove(places[1]), None);
        plan.fall_due(at(1));
        assert_eq!(plan.remove(places[2]), Some(2));
        let new = plan.add(7, times(1, 7));
        assert!(!plan.schedule(places[2], times(3, 3)));
        assert_eq!((plan.remove(places[2]), plan.get(new)), (None, Some(&7)));
        assert_eq!(taken(&mut plan, 9), [0, 3, 4]);
        plan.fall_due(at(1));
        assert_eq!(taken(&mut plan, 9), [7]);
    }

    #[test]
    fn nothing_is_left_of_those_that_come_and_go() {
        let mut plan = Plan::default();
        for round in 0..1_000 {
            let places: Vec<_> = (0..3).map(|end| plan.add(end, times(round % 7, end))).collect();
            for place in [places[1], places[0], places[2]] {
                assert!(plan.remove(place).is_some());
            }
        }
        assert_eq!((plan.len(), plan.slots.len(), plan.times.len()), (0, 3, 0));
    }

    #[test]
    fn the_grid_is_never_late_and_at_most_a_sixty_fourth_of_the_ttl_early() {
        for phase in [0, 1, 5_000_000, u64::MAX] {
            let grid = Grid::new(phase);
            for ttl in [10, 100, 3_000, 86_400_000].map(Duration::from_millis) {
                for nanos in [0, 7, 8_388_608, 1_000_000_123, u64::MAX] {
                    let at = Instant::from_nanos(nanos);
                    let before = grid.before(at, ttl);
                    assert!(before <= at, "{before:?} {at:?}");
                    let early = at.saturating_since(before);
                    assert!(early <= (ttl / 64).min(Duration::from_nanos(Grid::WIDEST)), "{early:?}");
                    assert_eq!(grid.before(before, ttl), before);
                }
            }
        }
    }
}
