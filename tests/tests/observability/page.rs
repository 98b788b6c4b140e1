//! Reads the tables of `docs/operations.md`.

use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../../docs/operations.md");

/// A row of the table of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MetricRow {
    pub(crate) kind: String,
    pub(crate) unit: String,
    /// Each label with its words; none for `node`, which has addresses.
    pub(crate) labels: BTreeMap<String, BTreeSet<String>>,
    pub(crate) says: String,
}

/// A row of the table of events or spans.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventRow {
    pub(crate) level: String,
    pub(crate) target: String,
    pub(crate) text: String,
    pub(crate) fields: BTreeSet<String>,
}

pub(crate) fn metrics() -> BTreeMap<String, MetricRow> {
    let rows = table("| metric |").into_iter().map(|row| {
        let labels = row[3].split(';').map(str::trim).filter(|label| !label.is_empty());
        let labels = labels.map(|label| {
            let (name, words) = label.split_once(':').unwrap_or((label, ""));
            (plain(name), words.split(',').map(plain).filter(|word| !word.is_empty()).collect())
        });
        let (name, kind, unit) = (plain(&row[0]), plain(&row[1]), plain(&row[2]));
        (name, MetricRow { kind, unit, labels: labels.collect(), says: row[4].clone() })
    });
    rows.collect()
}

pub(crate) fn events() -> BTreeSet<EventRow> {
    let rows = table("| level |").into_iter();
    rows.map(|row| EventRow {
        level: plain(&row[0]),
        target: plain(&row[1]),
        text: row[2].clone(),
        fields: list(&row[3]),
    })
    .collect()
}

pub(crate) fn spans() -> BTreeSet<EventRow> {
    let rows = table("| span |").into_iter();
    rows.map(|row| EventRow {
        level: plain(&row[1]),
        target: plain(&row[2]),
        text: plain(&row[0]),
        fields: list(&row[3]),
    })
    .collect()
}

/// The rows of the table whose head begins so.
fn table(head: &str) -> Vec<Vec<String>> {
    let lines = PAGE.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows: Vec<Vec<String>> = lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "there is no table that begins with {head}");
    rows
}

fn plain(cell: &str) -> String {
    cell.replace('`', "").trim().to_owned()
}

fn list(cell: &str) -> BTreeSet<String> {
    cell.split(',').map(plain).filter(|word| !word.is_empty()).collect()
}
