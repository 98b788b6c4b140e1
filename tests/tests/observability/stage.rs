//! Where a scenario takes place: its own recorder, and the part of the journal that is later than its beginning.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::executor::block_on;
use redlock::{BuildError, Election, Locks, LocksBuilder};

use crate::journal::{Line, journal};
use crate::recorder::Recorder;

pub(crate) struct Stage {
    pub(crate) recorder: Recorder,
    /// Earlier lines may be about another server that had the same port.
    from: usize,
    number: usize,
}

impl Stage {
    pub(crate) fn new() -> Self {
        static STAGES: AtomicUsize = AtomicUsize::new(0);
        let number = STAGES.fetch_add(1, Ordering::SeqCst);
        Self { recorder: Recorder::default(), from: journal().len(), number }
    }

    /// Builds with this recorder: that is when all metrics are registered.
    pub(crate) fn build(&self, builder: LocksBuilder) -> Locks {
        self.try_build(builder).unwrap()
    }

    pub(crate) fn try_build(&self, builder: LocksBuilder) -> Result<Locks, BuildError> {
        metrics::with_local_recorder(&self.recorder, || block_on(builder.build()))
    }

    /// As [`build`](Self::build), with every node admitted.
    pub(crate) fn init(&self, builder: LocksBuilder) -> Locks {
        metrics::with_local_recorder(&self.recorder, || block_on(builder.init())).unwrap()
    }

    /// A candidate whose metrics are this recorder's.
    pub(crate) fn election(&self, locks: &Locks, name: &str) -> Election {
        metrics::with_local_recorder(&self.recorder, || locks.election(self.name(name)))
    }

    /// The name of a lock that no other stage of this process has.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{name}-{}", self.number)
    }

    /// Everything that was said since the stage was set, by whomever.
    pub(crate) fn lines(&self) -> Vec<Line> {
        journal().since(self.from)
    }

    /// Every event with this text of which a field has this value.
    pub(crate) fn events(&self, text: &str, field: &str, value: &str) -> Vec<Line> {
        let lines = self.lines().into_iter();
        lines.filter(|line| !line.is_span && line.text == text && line.field(field) == value).collect()
    }

    /// How often this was said of a node or lock.
    pub(crate) fn said(&self, text: &str, field: &str, value: &str) -> usize {
        self.events(text, field, value).len()
    }

    /// The only event with this text of a node or lock.
    #[track_caller]
    pub(crate) fn only(&self, text: &str, field: &str, value: &str) -> Line {
        let events = self.events(text, field, value);
        assert_eq!(events.len(), 1, "{events:?}");
        events[0].clone()
    }

    /// Every acquisition of a lock that has ended.
    pub(crate) fn acquisitions(&self, lock: &str) -> Vec<Line> {
        self.lines().into_iter().filter(|line| line.is_span && line.field("lock") == lock).collect()
    }
}
