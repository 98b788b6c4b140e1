//! The tables of `docs/operations.md` and the library agree, both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::journal::Line;
use crate::page::{self, EventRow, MetricRow};
use crate::recorder::Series;
use crate::scenarios;
use crate::stage::Stage;

/// How many scenarios run at a time: they mostly wait.
const AT_ONCE: usize = 8;

#[test]
fn everything_in_the_tables_happens_and_nothing_else_does() {
    let before = Stage::new();
    let next = AtomicUsize::new(0);
    let run = || {
        let scenarios = std::iter::from_fn(|| scenarios::ALL.get(next.fetch_add(1, Ordering::Relaxed)));
        let stages = scenarios.map(|scenario| {
            let stage = Stage::new();
            scenario(&stage);
            stage
        });
        stages.collect::<Vec<_>>()
    };
    let stages: Vec<Stage> = thread::scope(|scope| {
        let running: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(run)).collect();
        running.into_iter().flat_map(|some| some.join().unwrap()).collect()
    });
    metrics_agree(&stages);
    events_agree(&before.lines());
}

fn metrics_agree(stages: &[Stage]) {
    let page = page::metrics();
    let registered: BTreeSet<Series> = stages.iter().flat_map(|stage| stage.recorder.registered()).collect();
    let changed: BTreeSet<Series> = stages.iter().flat_map(|stage| stage.recorder.changed()).collect();
    let library: BTreeMap<String, MetricRow> = stages[0]
        .recorder
        .described()
        .into_iter()
        .map(|(name, described)| {
            let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (label, value) in
                registered.iter().filter(|series| series.name == name).flat_map(|series| &series.labels)
            {
                let words = labels.entry(label.clone()).or_default();
                if label == "node" {
                    assert!(value.contains("127.0.0.1:"), "{value}");
                } else if label == "election" {
                    assert!(value.starts_with("chief-") || value.starts_with("late-"), "{value}");
                } else {
                    words.insert(value.clone());
                }
            }
            assert!(!described.help.is_empty());
            let says = page.get(&name).map_or_else(String::new, |row| row.says.clone());
            (name, MetricRow { kind: described.kind.into(), unit: described.unit.into(), labels, says })
        })
        .collect();
    assert_eq!(page, library, "the page (left) and the library (right)");
    assert!(page.values().all(|row| !row.says.is_empty()));

    let have_changed: BTreeSet<String> = changed.iter().map(|series| series.name.clone()).collect();
    let named: BTreeSet<String> = page.keys().cloned().collect();
    assert_eq!(named, have_changed, "the page (left), and what has changed (right)");
    let words = |name: &str, label: &str| -> BTreeSet<String> {
        let of_metric = changed.iter().filter(|series| series.name == name);
        of_metric.map(|series| series.labels[label].clone()).collect()
    };
    for (name, label) in [
        ("redlock_acquire_seconds", "outcome"),
        ("redlock_hold_seconds", "end"),
        ("redlock_losses_total", "reason"),
        ("redlock_releases_total", "outcome"),
        ("redlock_election_failures_total", "reason"),
    ] {
        assert_eq!(words(name, label), page[name].labels[label], "{name}");
    }
    let votes = words("redlock_votes_total", "vote");
    for vote in ["granted", "held", "missing", "quarantined", "unreachable", "timeout", "clock", "foreign"] {
        assert!(votes.contains(vote), "{vote} is not among {votes:?}");
    }
}

fn events_agree(lines: &[Line]) {
    let row = |line: &Line| EventRow {
        level: line.level.clone(),
        target: line.target.clone(),
        text: line.text.clone(),
        fields: line.fields.keys().cloned().collect(),
    };
    let ours = || lines.iter().filter(|line| line.target.starts_with("redlock"));
    let said: BTreeSet<EventRow> = ours().filter(|line| !line.is_span).map(row).collect();
    assert_eq!(page::events(), said, "the page (left), and what was said (right)");

    // An acquisition without a token has no such field.
    let spans: BTreeSet<EventRow> = ours()
        .filter(|line| line.is_span && (line.field("outcome") == "acquired" || !page_has_span(line)))
        .map(row)
        .collect();
    assert_eq!(page::spans(), spans, "the page (left), and the spans that have ended (right)");
}

fn page_has_span(line: &Line) -> bool {
    page::spans().iter().any(|span| span.text == line.text)
}
