//! Clients that lock without a pause, each with a `Locks` of its own, until they are told to stop. They are threads of this
//! process; those of [`worker`](crate::worker) are processes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::history::{ClientEvent, History, HoldId, Journal, Recorder, Run, RunEvent};
use crate::oracle::{Verdict, judge};
use crate::support::LIMIT;
use futures::executor::block_on;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redlock::{Lock, LockGuard, Locks};

/// What a client does with its lock.
#[derive(Clone, Copy)]
enum Habit {
    /// Keeps it for a moment.
    Brief,
    /// Keeps it as long as its validity lasts, without renewal.
    Unrenewed,
    /// Keeps it for good, renewed.
    Long,
}

const CLIENTS: [(&str, Habit); 6] = [
    ("a", Habit::Brief),
    ("b", Habit::Brief),
    ("a", Habit::Brief),
    ("b", Habit::Unrenewed),
    ("long", Habit::Long),
    ("long", Habit::Brief),
];

/// Clients at work.
pub struct Traffic {
    seed: u64,
    recorder: Arc<Recorder>,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Client>>,
}

impl Traffic {
    /// Starts them: each with what `connect` returns, and with a habit of its own.
    pub fn start(seed: u64, connect: impl Fn() -> Locks) -> Self {
        let (recorder, stop) = (Arc::new(Recorder::default()), Arc::new(AtomicBool::new(false)));
        let clients = CLIENTS.iter().enumerate().map(|(index, &(name, habit))| {
            let client = Client {
                locks: connect(),
                name,
                habit,
                journal: Journal::new(index, Arc::<Recorder>::clone(&recorder)),
                next: 0,
                stop: Arc::clone(&stop),
                random: StdRng::seed_from_u64(seed * 100 + index as u64),
            };
            thread::spawn(move || client.work().unwrap())
        });
        let clients = clients.collect();
        Self { seed, recorder, stop, clients }
    }

    /// What has come of it up to now.
    pub fn verdict(&self) -> Verdict {
        let run = Run {
            command: "traffic of threads".to_owned(),
            seed: self.seed,
            fleet: "process".to_owned(),
            server: String::new(),
            nodes: Vec::new(),
            restarts_forget: true,
            clients: CLIENTS.len(),
            faults: Vec::new(),
            ttl_millis: 0,
            max_ttl_millis: 0,
            without: Vec::new(),
        };
        judge(&History::new(run, self.recorder.events()))
    }

    /// Ends it; then everybody acquires every name once. What has come of it all.
    ///
    /// # Panics
    /// If a client has panicked.
    pub fn end(mut self) -> Verdict {
        self.stop.store(true, Ordering::SeqCst);
        let clients = self.clients.drain(..).map(|client| client.join().unwrap());
        let clients: Vec<Client> = clients.collect();
        self.recorder.run(RunEvent::Calm);
        for mut client in clients {
            client.end().unwrap();
        }
        self.verdict()
    }
}

struct Client {
    locks: Locks,
    name: &'static str,
    habit: Habit,
    journal: Journal,
    next: HoldId,
    stop: Arc<AtomicBool>,
    random: StdRng,
}

impl Client {
    fn work(mut self) -> io::Result<Self> {
        self.journal.note(ClientEvent::Started { pid: std::process::id() })?;
        while !self.must_stop() {
            self.hold_once()?;
        }
        Ok(self)
    }

    fn end(&mut self) -> io::Result<()> {
        for (name, _) in CLIENTS {
            let lock = self.locks.lock(name).wait_at_most(LIMIT);
            if let Some((hold, guard)) = self.acquire(name, &lock)? {
                self.release(hold, guard)?;
            }
        }
        self.journal.note(ClientEvent::Ended)
    }

    fn must_stop(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn hold_once(&mut self) -> io::Result<()> {
        let lock = self.locks.lock(self.name).wait_at_most(Duration::from_millis(500));
        let lock = match self.habit {
            Habit::Unrenewed => lock.renew_at_most(Duration::from_nanos(1)),
            Habit::Brief | Habit::Long => lock,
        };
        let Some((hold, guard)) = self.acquire(self.name, &lock)? else { return Ok(()) };
        let looks = match self.habit {
            Habit::Brief => self.random.random_range(1..10),
            Habit::Unrenewed | Habit::Long => usize::MAX,
        };
        for _ in 0..looks {
            if !self.journal.holds(hold, &guard)? || self.must_stop() {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.release(hold, guard)
    }

    fn acquire(&mut self, name: &str, lock: &Lock) -> io::Result<Option<(HoldId, LockGuard)>> {
        let hold = self.next;
        self.next += 1;
        self.journal.note(ClientEvent::Wants { hold, name: name.to_owned() })?;
        match block_on(lock.acquire()) {
            Ok(guard) => Ok(self.journal.acquired(hold, &guard)?.then_some((hold, guard))),
            Err(error) => {
                self.journal.note(ClientEvent::GaveUp { hold, why: error.to_string() })?;
                Ok(None)
            }
        }
    }

    fn release(&self, hold: HoldId, guard: LockGuard) -> io::Result<()> {
        self.journal.holds(hold, &guard)?;
        self.journal.note(ClientEvent::Releases { hold })?;
        // What cannot be confirmed is seen to in the background.
        let outcome =
            block_on(guard.release()).map_or_else(|error| error.to_string(), |()| "released".to_owned());
        self.journal.note(ClientEvent::Released { hold, outcome })
    }
}
