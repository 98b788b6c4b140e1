//! How many rounds the library's acquisitions took, as its spans say.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::bench::Result;

/// The rounds of every acquisition that has asked the nodes, since they were last taken.
#[derive(Clone, Default)]
pub(super) struct Rounds(Arc<Mutex<Vec<u64>>>);

impl Rounds {
    /// Counts in this process from now on.
    pub(super) fn count() -> Result<Self> {
        let rounds = Self::default();
        tracing::subscriber::set_global_default(rounds.clone())?;
        Ok(rounds)
    }

    pub(super) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subscriber for Rounds {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == "redlock::lock" && metadata.name() == "acquire"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // Spans are not told apart.
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Attempts(self));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Attempts<'a>(&'a Rounds);

impl Visit for Attempts<'_> {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "attempts" && value > 0 {
            self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
        }
    }
}
