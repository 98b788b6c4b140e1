//! How a client writes down what it does.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use redlock::{Held, Instant};

use super::{ClientEvent, Event, HoldId, RunEvent};

/// Where events go.
pub trait Sink: Send + Sync {
    /// Takes one.
    ///
    /// # Errors
    /// Those of writing.
    fn put(&self, event: &Event) -> io::Result<()>;
}

/// What one client does, written down as it happens. Cheap to clone; its threads share it.
#[derive(Clone)]
pub struct Journal {
    client: usize,
    sink: Arc<dyn Sink>,
}

impl Journal {
    /// For the client of this number.
    pub fn new(client: usize, sink: Arc<dyn Sink>) -> Self {
        Self { client, sink }
    }

    /// Something that happens now.
    ///
    /// # Errors
    /// Those of writing.
    pub fn note(&self, what: ClientEvent) -> io::Result<()> {
        self.note_at(Instant::now(), what)
    }

    /// Something that happened then.
    ///
    /// # Errors
    /// Those of writing.
    pub fn note_at(&self, at: Instant, what: ClientEvent) -> io::Result<()> {
        self.sink.put(&Event::Client { at: at.as_nanos(), client: self.client, what })
    }

    /// A lock was acquired. `false`: it is held no longer, and counts as given up.
    ///
    /// # Errors
    /// Those of writing.
    pub fn acquired(&self, hold: HoldId, held: &Held) -> io::Result<bool> {
        // What is valid now has been valid ever since it was acquired.
        if !held.is_valid() {
            self.note(ClientEvent::GaveUp { hold, why: "lost as soon as it was acquired".to_owned() })?;
            return Ok(false);
        }
        let token = held.fencing_token().map(redlock::FencingToken::get);
        let valid_until = held.valid_until().as_nanos();
        self.note_at(held.acquired_at(), ClientEvent::Acquired { hold, token, valid_until })?;
        self.holds(hold, held)?;
        Ok(true)
    }

    /// Looks whether a lock is still held, notes it if so, and says whether it is.
    ///
    /// # Errors
    /// Those of writing.
    pub fn holds(&self, hold: HoldId, held: &Held) -> io::Result<bool> {
        // Read before the look: validity has no gaps, so that it was held then for certain, however long the look takes.
        let now = Instant::now();
        let is_valid = held.is_valid();
        if is_valid {
            let valid_until = held.valid_until().as_nanos();
            self.note_at(now, ClientEvent::Holds { hold, valid_until })?;
        }
        Ok(is_valid)
    }
}

/// A file that has every event in it as soon as it is noted, whatever becomes of the process.
pub struct HistoryFile(Mutex<File>);

impl HistoryFile {
    /// A new file.
    ///
    /// # Errors
    /// If there is one already, or it cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        OpenOptions::new().append(true).create_new(true).open(path).map(|file| Self(Mutex::new(file)))
    }
}

impl Sink for HistoryFile {
    fn put(&self, event: &Event) -> io::Result<()> {
        let mut line = Vec::new();
        event.write_line(&mut line)?;
        // One write(2): a kill comes before or after it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
    }
}

/// Events in memory, for clients and faults in one process.
#[derive(Default)]
pub struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    /// Something that the run does now.
    pub fn run(&self, what: RunEvent) {
        self.add(Event::Run { at: Instant::now().as_nanos(), what });
    }

    /// All events up to now.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, event: Event) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of several looks at one hold in a row the last says all; clients look often.
        if let Event::Client { client, what: ClientEvent::Holds { hold, .. }, .. } = &event {
            let is_of_client =
                |event: &&mut Event| matches!(event, Event::Client { client: of, .. } if of == client);
            let is_look = |event: &Event| matches!(event, Event::Client { what: ClientEvent::Holds { hold: of, .. }, .. } if of == hold);
            if let Some(last) = events.iter_mut().rev().find(is_of_client).filter(|last| is_look(last)) {
                *last = event;
                return;
            }
        }
        events.push(event);
    }
}

impl Sink for Recorder {
    fn put(&self, event: &Event) -> io::Result<()> {
        self.add(event.clone());
        Ok(())
    }
}
