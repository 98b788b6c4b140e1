//! The table's marker and clock, as a server has them: for simulations of nodes that lose their memory.

use std::time::Duration;

use super::{MemoryNode, Table, micros};
use crate::id::Instant;
use crate::node::fence::LARGEST_LEAD;
use crate::node::{Grant, Incarnation, Mark, MarkRequest, Marker, Standing};

/// What the table knows of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// When the process started, by its own clock.
    started: Instant,
    marker: Option<Marker>,
    /// How far the node's clock was set ahead of its environment's, in microseconds.
    ahead: i64,
}

impl Memory {
    pub(super) fn new(started: Instant) -> Self {
        Self { started, marker: None, ahead: 0 }
    }

    #[cfg(feature = "testing")]
    pub(super) fn after_restart(&self, now: Instant) -> Self {
        Self { ahead: self.ahead, ..Self::new(now) }
    }

    #[cfg(feature = "testing")]
    pub(super) fn after_flush(&self) -> Self {
        Self { ahead: self.ahead, ..Self::new(self.started) }
    }

    #[cfg(feature = "testing")]
    pub(super) fn step_clock(&mut self, micros: i64) {
        self.ahead = self.ahead.saturating_add(micros);
    }

    /// The node's time when its environment's is `now`.
    pub(super) fn time(&self, now: Instant) -> Instant {
        let ahead = Duration::from_micros(self.ahead.unsigned_abs());
        if self.ahead < 0 { now.saturating_sub(ahead) } else { now.saturating_add(ahead) }
    }

    pub(super) fn standing(&self) -> Standing {
        self.marker.map_or(Standing::Unmarked(None), Standing::Marked)
    }

    /// Says which memory has granted, and under which charter.
    pub(super) fn sign(&self, grant: Grant) -> Grant {
        grant.in_memory(self.incarnation()).under(self.marker.map(|marker| marker.charter))
    }

    /// Which memory it is, if it keeps a marker.
    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        self.marker.map(|marker| marker.incarnation)
    }

    /// Fencing counters do not start below this.
    pub(super) fn floor(&self) -> u64 {
        self.marker.and_then(|marker| marker.floor).unwrap_or(0)
    }
}

impl MemoryNode {
    /// The node's own time.
    pub(super) fn node_time(&self, table: &Table) -> Instant {
        table.memory.time(self.env.now())
    }

    pub(super) fn is_unmarked(&self, table: &Table) -> bool {
        self.guarded && self.protections.marker_check() && table.memory.marker.is_none()
    }

    /// Whether it grants nothing new now, and for how long not.
    pub(super) fn quarantine(&self, table: &Table, now: Instant) -> Option<Option<Duration>> {
        match table.memory.marker {
            None => self.is_unmarked(table).then_some(None),
            Some(marker) if marker.floor.is_none() => {
                Some(Some(Duration::from_micros(marker.until.saturating_sub(micros(now)))))
            }
            Some(_) => None,
        }
    }

    /// No fencing counter is above this.
    pub(super) fn ceiling(&self) -> u64 {
        let table = self.lock();
        let counters = table.counters.values().map(|counter| counter.value);
        // What it has forgotten was not further ahead of its time than this.
        let lead = micros(self.node_time(&table)).saturating_add(LARGEST_LEAD);
        counters.max().unwrap_or(0).max(table.memory.floor()).max(lead)
    }

    pub(super) fn mark_now(&self, request: &MarkRequest) -> Standing {
        let mut table = self.lock();
        let now = self.node_time(&table);
        let charter = request.charter;
        let marker = table.memory.marker;
        let in_quarantine = marker.filter(|marker| marker.floor.is_none());
        let changed = match request.mark {
            Mark::Quarantine { incarnation, lasts } => {
                let from = if self.protections.quarantine_from_marker() { now } else { table.memory.started };
                Some(Marker::new(incarnation, charter, micros(from.saturating_add(lasts)), None))
            }
            Mark::Join => in_quarantine.map(|marker| Marker { charter, ..marker }),
            Mark::Admit { floor } => in_quarantine
                .filter(|marker| micros(now) >= marker.until)
                .map(|marker| Marker { charter, floor: Some(floor), ..marker }),
            Mark::Init { incarnation, floor } => {
                let incarnation = marker.map_or(incarnation, |marker| marker.incarnation);
                let floor = floor.max(table.memory.floor());
                Some(Marker::new(incarnation, charter, micros(now), Some(floor)))
            }
            Mark::Raise { floor } => {
                let raised = |marker: Marker| marker.floor.map(|old| old.max(floor));
                marker.map(|marker| Marker { charter, floor: raised(marker), ..marker })
            }
        };
        if changed.is_some() {
            table.memory.marker = changed;
        }
        table.memory.standing()
    }
}
