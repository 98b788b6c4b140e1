//! Every metric: its name, type and unit, and what it means.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Unit, with_recorder};

/// One metric. Its labels are bounded: a fixed list of words, the addresses of the nodes, or the names of the program's elections.
pub(super) struct Metric {
    name: &'static str,
    kind: Kind,
    unit: Unit,
    help: &'static str,
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const METADATA: Metadata<'static> = Metadata::new("redlock", Level::INFO, Some("redlock"));

macro_rules! metrics {
    ($($id:ident = $kind:ident $unit:ident $name:literal $help:literal;)+) => {
        $(pub(super) const $id: Metric =
            Metric { name: $name, kind: Kind::$kind, unit: Unit::$unit, help: $help };)+

        /// Tells the recorder about all of them.
        pub(super) fn describe() {
            [$($id),+].iter().for_each(Metric::describe);
        }
    };
}

metrics! {
    ACQUIRE = Histogram Seconds "redlock_acquire_seconds"
        "From the call of an acquisition to its answer, by outcome";
    ACQUIRE_WAIT = Histogram Seconds "redlock_acquire_wait_seconds"
        "Of an acquisition, the time before its last round began: in line, in pauses, in rounds that failed";
    ACQUIRE_ROUNDS = Histogram Count "redlock_acquire_rounds"
        "Rounds to the nodes that an acquisition took";
    WAITERS = Gauge Count "redlock_waiters"
        "Acquisitions that are under way now";
    LOCKS_HELD = Gauge Count "redlock_locks_held"
        "Locks that are held now";
    HOLD = Histogram Seconds "redlock_hold_seconds"
        "From the acquisition of a lock to its end, by how it ended";
    HANDOVERS = Counter Count "redlock_handovers_total"
        "Locks that were handed to the next waiter of this process";
    LOSSES = Counter Count "redlock_losses_total"
        "Locks that were lost, by reason";
    RENEWAL = Histogram Seconds "redlock_renewal_seconds"
        "How long rounds of renewal and explicit extension took, by outcome";
    RELEASES = Counter Count "redlock_releases_total"
        "Explicit releases, by outcome";
    UNSETTLED = Gauge Count "redlock_unsettled_releases"
        "Releases and late answers that are seen to their end in the background now";
    VOTES = Counter Count "redlock_votes_total"
        "What nodes answered to requests for their vote, by node and vote";
    RAISE_ROUNDS = Counter Count "redlock_raise_rounds_total"
        "Rounds of acquisition that had to raise nodes whose fencing counters were behind";
    RESTORES = Counter Count "redlock_restores_total"
        "Locks given back to a node that had lost them or never had them, by node";
    CONNECTIONS = Gauge Count "redlock_connections"
        "Connections to a node that are up now, by node: 0 or 1 for each Locks";
    QUARANTINES = Counter Count "redlock_quarantines_total"
        "Quarantines of a node whose memory is new, by node";
    ADMISSIONS = Counter Count "redlock_admissions_total"
        "Ends of quarantines, by node";
    CLOCK_JUMPS = Counter Count "redlock_clock_jumps_total"
        "Jumps of a node's clock, by node";
    OWN_CLOCK_JUMPS = Counter Count "redlock_own_clock_jumps_total"
        "Jumps of this machine's clock against those of a quorum of nodes";
    ELECTION_LEADING = Gauge Count "redlock_election_leading"
        "Whether this process leads now, by election";
    ELECTION_EPOCH = Gauge Count "redlock_election_epoch"
        "The epoch of the latest leadership of this process, by election";
    ELECTION_WINS = Counter Count "redlock_election_wins_total"
        "Leaderships of this process, by election";
    ELECTION_ENDS = Counter Count "redlock_election_ends_total"
        "Ends of leaderships of this process, by election and by how they ended";
    ELECTION_FAILURES = Counter Count "redlock_election_failures_total"
        "Campaigns that failed, by election and reason";
    ELECTION_OVERRUNS = Counter Count "redlock_election_overruns_total"
        "Leaderships whose work had not ended when their validity had, by election";
}

impl Metric {
    fn describe(&self) {
        with_recorder(|recorder| {
            let (name, unit, help) = (self.name.into(), Some(self.unit), self.help.into());
            match self.kind {
                Kind::Counter => recorder.describe_counter(name, unit, help),
                Kind::Gauge => recorder.describe_gauge(name, unit, help),
                Kind::Histogram => recorder.describe_histogram(name, unit, help),
            }
        });
    }

    fn key<const N: usize>(&self, labels: [(&'static str, &str); N]) -> Key {
        let labels = labels.map(|(name, value)| Label::new(name, value.to_owned()));
        Key::from_parts(self.name, labels.to_vec())
    }

    pub(super) fn counter<const N: usize>(&self, labels: [(&'static str, &str); N]) -> Counter {
        with_recorder(|recorder| recorder.register_counter(&self.key(labels), &METADATA))
    }

    pub(super) fn gauge<const N: usize>(&self, labels: [(&'static str, &str); N]) -> Gauge {
        with_recorder(|recorder| recorder.register_gauge(&self.key(labels), &METADATA))
    }

    pub(super) fn histogram<const N: usize>(&self, labels: [(&'static str, &str); N]) -> Histogram {
        with_recorder(|recorder| recorder.register_histogram(&self.key(labels), &METADATA))
    }
}
