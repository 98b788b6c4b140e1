//! Sees to markers, quarantines and their ends.

use std::time::Duration;

use super::{Fleet, Said, new_incarnation};
use crate::driver::Driver;
use crate::id::{Instant, Standing};
use crate::node::{Mark, MarkRequest};
use crate::quorum::Trust;
use crate::quorum::restart::{self, Agreed, Misfit, Seen, Step};
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
        let has_epochs = self.protections.node_set_epoch();
        let agreed = restart::agree(self.wanted, seen, has_epochs);
        let now = driver.env.now();
        let mut requests = Vec::new();
        let (mut odd, mut replaced) = (false, Vec::new());
        for (node, known) in driver.nodes().iter().enumerate() {
            let standing = seen[node].standing;
            let step = restart::step(standing, agreed, has_epochs);
            self.note(driver, node, known.address(), standing, step);
            odd |= step != Step::Rest;
            if let Step::Foreign(Misfit::Replaced { theirs, .. }) = step {
                replaced.push(theirs);
            }
            // What is there goes on as it is, but for what is to change.
            let own = match standing {
                Standing::Marked(marker) => marker.charter,
                _ => agreed.ours,
            };
            let (charter, mark) = match step {
                Step::Rest | Step::Foreign(_) => continue,
                Step::Quarantine(charter) => {
                    let lasts = if self.protections.quarantine() { self.quarantine } else { Duration::ZERO };
                    (charter, Mark::Quarantine { incarnation: new_incarnation(driver), lasts })
                }
                Step::Join(charter) => (charter, Mark::Join),
                Step::Wait if self.is_endless(standing, known.clock(), now) => {
                    let lasts = self.quarantine;
                    (own, Mark::Quarantine { incarnation: new_incarnation(driver), lasts })
                }
                Step::Wait if !ripe[node] => continue,
                Step::Wait => match self.admission(driver, node, standing, (seen, agreed), now) {
                    Some(floor) => (own, Mark::Admit { floor }),
                    None => continue,
                },
            };
            requests.push((node, MarkRequest::new(charter, mark)));
        }
        if replaced.len() >= self.quorum.blocking() {
            self.note_replaced(replaced.into_iter().max());
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
        (seen, agreed): (&[Seen], Agreed),
        now: Instant,
    ) -> Option<u64> {
        let reading = driver.nodes()[node].clock();
        // Whoever is being shut out admits nobody.
        if agreed.marks.is_none() || !self.is_ripe(standing, reading, now) {
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
        let floor = restart::floor(node, seen, self.quorum, agreed, self.protections.fence_floor())?;
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
