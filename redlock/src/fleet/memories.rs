//! Sees to markers, quarantines and their ends.

use std::time::Duration;

use super::{Fleet, Said, new_incarnation};
use crate::driver::Driver;
use crate::id::{Instant, Standing};
use crate::node::{Mark, MarkRequest};
use crate::quorum::Trust;
use crate::quorum::restart::{self, Seen, Step};
use crate::telemetry::events;

impl Fleet {
    /// Sees to markers, quarantines and their ends. `ripe`: whose quarantine was over before they were seen.
    pub(super) async fn look_at_memories(
        &self,
        driver: &Driver,
        seen: &[Seen],
        ripe: &[bool],
        patience: Duration,
    ) -> bool {
        let charter = restart::charter(self.wanted, seen);
        let now = driver.env.now();
        let mut requests = Vec::new();
        let mut odd = false;
        for (node, known) in driver.nodes().iter().enumerate() {
            let standing = seen[node].standing;
            let step = restart::step(standing, charter);
            self.note(driver, node, known.address(), standing, step);
            odd |= step != Step::Rest;
            let mark = match step {
                Step::Rest | Step::Foreign(_) => continue,
                Step::Quarantine(_) => {
                    let lasts = if self.protections.quarantine() { self.quarantine } else { Duration::ZERO };
                    Mark::Quarantine { incarnation: new_incarnation(driver), lasts }
                }
                Step::Join(_) => Mark::Join,
                Step::Wait if self.is_endless(standing, known.clock(), now) => {
                    Mark::Quarantine { incarnation: new_incarnation(driver), lasts: self.quarantine }
                }
                Step::Wait if !ripe[node] => continue,
                Step::Wait => match self.admission(driver, node, standing, seen, now) {
                    Some(floor) => Mark::Admit { floor },
                    None => continue,
                },
            };
            requests.push((node, MarkRequest::new(charter, mark)));
        }
        for error in driver.mark(requests, patience).await {
            events::marker_not_changed(&error);
        }
        odd
    }

    /// Where the counters of a node begin whose quarantine is over; `None` if it is not, or too little is known.
    fn admission(
        &self,
        driver: &Driver,
        node: usize,
        standing: Standing,
        seen: &[Seen],
        now: Instant,
    ) -> Option<u64> {
        let reading = driver.nodes()[node].clock();
        if !self.is_ripe(standing, reading, now) {
            return None;
        }
        let mut state = self.state();
        // The clock by which it is over is one that has been watched, this reading included.
        if let Some(reading) = reading.filter(|_| self.is_watched(node)) {
            state.clocks.observe(node, reading.least, reading.most, reading.taken);
        }
        if self.is_watched(node) && state.clocks.trust(node, now) != Trust::Trusted {
            return None;
        }
        let floor = restart::floor(node, seen, self.quorum, self.protections.fence_floor())?;
        Some(floor.max(state.nodes.get(node).map_or(0, |known| known.floor)))
    }

    /// Notes how a node stands, and says it once.
    fn note(&self, driver: &Driver, node: usize, address: &str, standing: Standing, step: Step) {
        let mut state = self.state();
        let Some(known) = state.nodes.get_mut(node) else { return };
        if standing == Standing::Unknown {
            return;
        }
        known.misfit = if let Step::Foreign(misfit) = step { Some(misfit) } else { None };
        let say = match (step, standing) {
            (Step::Foreign(misfit), _) => Said::Foreign(misfit),
            (_, Standing::Marked(marker)) if marker.floor.is_none() => Said::Quarantined(marker.incarnation),
            (_, Standing::Marked(marker)) => Said::Admitted(marker.incarnation),
            _ => return,
        };
        let before = known.said.replace(say);
        drop(state);
        if before == Some(say) {
            return;
        }
        match say {
            Said::Foreign(misfit) => events::node_foreign(address, misfit),
            Said::Quarantined(_) => {
                driver.meters.quarantined(node);
                events::node_quarantined(address, self.quarantine);
            }
            // A node that was found in good order is not worth a line.
            Said::Admitted(_) if before.is_none() => {}
            Said::Admitted(_) => {
                driver.meters.admitted(node);
                events::node_admitted(address);
            }
        }
    }
}
