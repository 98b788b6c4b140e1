//! Finds out whose clock is wrong, and what that means for its node.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Fleet, SECOND, Shift, new_incarnation};
use crate::driver::Driver;
use crate::error::LostReason;
use crate::id::{Instant, Standing};
use crate::node::{ClockReading, Mark, MarkRequest};
use crate::quorum::restart::Seen;
use crate::quorum::{Culprit, Moved};
use crate::renewal::Renewal;
use crate::telemetry::events;

impl Fleet {
    /// Finds out whose clock is wrong, if one has moved.
    pub(super) async fn look_at_clocks(
        &self,
        driver: &Driver,
        renewal: Option<&Renewal>,
        seen: &[Seen],
        patience: Duration,
    ) -> bool {
        if !self.protections.clock_guard() {
            return false;
        }
        let now = driver.env.now();
        let culprit = {
            let mut state = self.state();
            for (node, known) in driver.nodes().iter().enumerate() {
                if let Some(reading) = known.clock().filter(|_| self.is_watched(node)) {
                    state.clocks.observe(node, reading.least, reading.most, reading.taken);
                }
            }
            state.clocks.culprit(now)
        };
        let moved = match culprit {
            Culprit::None => return false,
            Culprit::Undecided => return true,
            Culprit::Past(moved) => {
                self.let_bygones_be(driver, &moved, seen, patience, now).await;
                return true;
            }
            Culprit::Own => {
                events::own_clock_moved();
                driver.meters.own_clock_moved();
                let is_on = self.protections.own_clock();
                self.state().clocks.forget_all(if is_on { now } else { Instant::from_nanos(0) });
                if is_on {
                    // First, so that no acquisition under way slips through.
                    self.own_moves.fetch_add(1, Ordering::SeqCst);
                    renewal.into_iter().for_each(|renewal| renewal.lose_all(LostReason::ClockMoved));
                }
                return true;
            }
            Culprit::Nodes(moved) => moved,
        };
        moved.iter().for_each(|&(node, moved)| self.note_clock(driver, node, moved));
        let requests = self.marks_for(driver, moved.iter().copied(), seen, now);
        let asked: Vec<usize> = requests.iter().map(|(node, _)| *node).collect();
        let failed = driver.mark(requests, patience).await;
        let mut state = self.state();
        for (node, _) in moved {
            let address = driver.nodes()[node].address();
            // One that is away is dealt with when it comes back.
            let is_done = if asked.contains(&node) {
                failed.iter().all(|error| *error.node != *address)
            } else {
                seen[node].standing != Standing::Unknown
            };
            if is_done {
                state.clocks.forget(node, now);
            }
        }
        true
    }

    /// Forgets moves of clocks that nobody could explain, once all that was held then has ended. Counters still begin above the
    /// time that was known before.
    async fn let_bygones_be(
        &self,
        driver: &Driver,
        moved: &[(usize, Moved)],
        seen: &[Seen],
        patience: Duration,
        now: Instant,
    ) {
        let back = moved.iter().copied().filter(|(_, moved)| moved.by < 0);
        let requests = self.marks_for(driver, back, seen, now);
        for error in driver.mark(requests, patience).await {
            events::marker_not_changed(&error);
        }
        let then = now.saturating_sub(self.quarantine);
        let mut state = self.state();
        moved.iter().for_each(|&(node, _)| state.clocks.forget(node, then));
    }

    /// What moved clocks change about markers.
    fn marks_for(
        &self,
        driver: &Driver,
        moved: impl Iterator<Item = (usize, Moved)>,
        seen: &[Seen],
        now: Instant,
    ) -> Vec<(usize, MarkRequest)> {
        let request = |(node, moved): (usize, Moved)| {
            let Standing::Marked(marker) = seen[node].standing else { return None };
            let mark = self.mark_for(driver, node, moved, marker.floor.is_some(), now)?;
            Some((node, MarkRequest::new(marker.charter, mark)))
        };
        moved.filter_map(request).collect()
    }

    /// What a moved clock changes about the node's marker.
    fn mark_for(
        &self,
        driver: &Driver,
        node: usize,
        moved: Moved,
        is_admitted: bool,
        now: Instant,
    ) -> Option<Mark> {
        if moved.by > 0 {
            // Whatever it holds may have expired too early there, as if it had been forgotten.
            return Some(Mark::Quarantine { incarnation: new_incarnation(driver), lasts: self.quarantine });
        }
        // The time that it had known: its counters may have come as far.
        let before = ClockReading { least: moved.before, most: moved.before, taken: now }.at(now);
        let mut state = self.state();
        let known = state.nodes.get_mut(node)?;
        known.floor = known.floor.max(before.saturating_add(SECOND));
        is_admitted.then_some(Mark::Raise { floor: known.floor })
    }

    /// Says once that a node's clock has moved, however often it takes until that is dealt with.
    fn note_clock(&self, driver: &Driver, node: usize, moved: Moved) {
        let mut state = self.state();
        let Some(known) = state.nodes.get_mut(node) else { return };
        let is_new = known.moved.replace(moved.at) != Some(moved.at);
        drop(state);
        if is_new {
            driver.meters.clock_moved(node);
            events::node_clock_moved(driver.nodes()[node].address(), Shift(moved.by));
        }
    }
}
