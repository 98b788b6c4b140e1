//! Keeps every event and span of the whole process, at every level, and every record of the `log` crate.
//!
//! The library works on threads of its own, so that only a global subscriber sees it all. Tests of one process share it, and
//! look for their own nodes and locks.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// An event, a span that has ended, or a record of `log`.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) is_span: bool,
    pub(crate) level: String,
    pub(crate) target: String,
    /// An event's text, or a span's name.
    pub(crate) text: String,
    pub(crate) fields: BTreeMap<String, String>,
}

impl Line {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn of(metadata: &Metadata<'_>) -> Self {
        Self {
            is_span: metadata.is_span(),
            level: metadata.level().to_string(),
            target: metadata.target().to_owned(),
            text: metadata.name().to_owned(),
            fields: BTreeMap::new(),
        }
    }
}

/// What has been said so far; begins to listen with the first call.
pub(crate) fn journal() -> &'static Journal {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        tracing::subscriber::set_global_default(&JOURNAL).unwrap();
        log::set_logger(&JOURNAL).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    &JOURNAL
}

static JOURNAL: Journal =
    Journal { lines: Mutex::new(Vec::new()), spans: Mutex::new(BTreeMap::new()), next: AtomicU64::new(1) };

pub(crate) struct Journal {
    lines: Mutex<Vec<Line>>,
    spans: Mutex<BTreeMap<u64, Line>>,
    next: AtomicU64,
}

impl Journal {
    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap()
    }

    pub(crate) fn len(&self) -> usize {
        self.lines().len()
    }

    /// Everything that was said later than the first so many lines.
    pub(crate) fn since(&self, lines: usize) -> Vec<Line> {
        self.lines()[lines..].to_vec()
    }
}

impl Subscriber for &'static Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("redlock")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let mut line = Line::of(attributes.metadata());
        attributes.record(&mut Fields(&mut line));
        self.spans.lock().unwrap().insert(id, line);
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        if let Some(line) = self.spans.lock().unwrap().get_mut(&id.into_u64()) {
            values.record(&mut Fields(line));
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::of(event.metadata());
        event.record(&mut Fields(&mut line));
        line.text = line.fields.remove("message").unwrap_or_default();
        self.lines().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn try_close(&self, id: Id) -> bool {
        let ended = self.spans.lock().unwrap().remove(&id.into_u64());
        self.lines().extend(ended);
        true
    }
}

struct Fields<'a>(&'a mut Line);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        write!(text, "{value:?}").unwrap();
        self.0.fields.insert(field.name().to_owned(), text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.fields.insert(field.name().to_owned(), value.to_owned());
    }
}

impl log::Log for Journal {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.lines().push(Line {
            is_span: false,
            level: record.level().to_string(),
            target: format!("log: {}", record.target()),
            text: record.args().to_string(),
            fields: BTreeMap::new(),
        });
    }

    fn flush(&self) {}
}
