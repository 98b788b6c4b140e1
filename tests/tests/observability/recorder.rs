//! A recorder that keeps everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit,
};

/// Keeps what was described, registered and changed.
#[derive(Default)]
pub(crate) struct Recorder {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    described: BTreeMap<String, Described>,
    series: BTreeMap<Series, Arc<Cell>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) kind: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) help: String,
}

/// A metric with its labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Default)]
struct Cell(Mutex<Values>);

#[derive(Default, Clone)]
struct Values {
    /// Of a counter or gauge.
    value: f64,
    /// How many times it was changed.
    changes: u64,
    /// Of a histogram: the largest and the sum.
    largest: f64,
}

impl Recorder {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn described(&self) -> BTreeMap<String, Described> {
        self.state().described.clone()
    }

    /// Everything that was registered.
    pub(crate) fn registered(&self) -> BTreeSet<Series> {
        self.state().series.keys().cloned().collect()
    }

    /// Everything that has changed at least once.
    pub(crate) fn changed(&self) -> BTreeSet<Series> {
        let state = self.state();
        let changed = state.series.iter().filter(|(_, cell)| cell.0.lock().unwrap().changes > 0);
        changed.map(|(series, _)| series.clone()).collect()
    }

    /// The value of a counter or gauge, or the sum of a histogram's values, over all series with these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).iter().map(|values| values.value).sum()
    }

    /// How many values a histogram has, over all series with these labels.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.matching(name, labels).iter().map(|values| values.changes).sum()
    }

    /// The largest value of a histogram.
    pub(crate) fn largest(&self, name: &str) -> f64 {
        self.matching(name, &[]).iter().map(|values| values.largest).fold(0.0, f64::max)
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> Vec<Values> {
        let state = self.state();
        let fits = |series: &Series| {
            series.name == name
                && labels.iter().all(|(label, value)| series.labels.get(*label).is_some_and(|is| is == value))
        };
        let found: Vec<Values> = state
            .series
            .iter()
            .filter(|(series, _)| fits(series))
            .map(|(_, cell)| cell.0.lock().unwrap().clone())
            .collect();
        assert!(!found.is_empty(), "nothing is registered as {name} {labels:?}");
        found
    }

    fn describe(&self, kind: &'static str, name: &KeyName, unit: Option<Unit>, help: &SharedString) {
        let unit = unit.map_or("", |unit| unit.as_canonical_label());
        let unit = if unit.is_empty() { "count" } else { unit };
        let help = help.to_string();
        self.state().described.insert(name.as_str().to_owned(), Described { kind, unit, help });
    }

    fn register(&self, key: &Key) -> Arc<Cell> {
        let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        let series = Series { name: key.name().to_owned(), labels };
        Arc::clone(self.state().series.entry(series).or_default())
    }
}

impl Cell {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut values = self.0.lock().unwrap();
        values.value = change(values.value);
        values.changes += 1;
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("counter", &name, unit, &help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("gauge", &name, unit, &help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("histogram", &name, unit, &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.register(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.register(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.register(key))
    }
}

impl CounterFn for Cell {
    fn increment(&self, by: u64) {
        self.change(|value| value + by as f64);
    }

    fn absolute(&self, to: u64) {
        self.change(|_| to as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }

    fn set(&self, to: f64) {
        self.change(|_| to);
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.change(|sum| sum + value);
        let mut values = self.0.lock().unwrap();
        values.largest = values.largest.max(value);
    }
}
