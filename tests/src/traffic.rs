//! Clients that lock without a pause, each with a `Locks` of its own, until they are told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::oracle::Oracle;
use crate::support::LIMIT;
use futures::executor::block_on;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redlock::Locks;

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
    /// What they have held.
    pub oracle: Arc<Oracle>,
    stop: Arc<AtomicBool>,
    clients: Vec<(Locks, JoinHandle<()>)>,
}

impl Traffic {
    /// Starts them: each with what `connect` returns, and with a habit of its own.
    pub fn start(seed: u64, connect: impl Fn() -> Locks) -> Self {
        let (oracle, stop) = (Arc::new(Oracle::default()), Arc::new(AtomicBool::new(false)));
        let clients = CLIENTS.iter().zip(0..).map(|(&(name, habit), index)| {
            let locks = connect();
            let client = Client {
                locks: locks.clone(),
                name,
                habit,
                oracle: Arc::clone(&oracle),
                stop: Arc::clone(&stop),
                random: StdRng::seed_from_u64(seed * 100 + index),
            };
            (locks, thread::spawn(move || client.work()))
        });
        let clients = clients.collect();
        Self { oracle, stop, clients }
    }

    /// Ends it; then everybody acquires every name once.
    ///
    /// # Panics
    /// If that does not work any more, or a client has panicked.
    pub fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        let clients: Vec<Locks> = self
            .clients
            .into_iter()
            .map(|(locks, client)| {
                client.join().unwrap();
                locks
            })
            .collect();
        for (locks, (name, _)) in
            clients.iter().flat_map(|locks| CLIENTS.iter().map(move |client| (locks, client)))
        {
            let guard = block_on(locks.lock(name).wait_at_most(LIMIT).acquire()).unwrap();
            if let Some(entry) = self.oracle.begins(&guard) {
                self.oracle.goes_on(entry, &guard);
            }
            // What cannot be confirmed is seen to in the background.
            let _ = block_on(guard.release());
        }
    }
}

struct Client {
    locks: Locks,
    name: &'static str,
    habit: Habit,
    oracle: Arc<Oracle>,
    stop: Arc<AtomicBool>,
    random: StdRng,
}

impl Client {
    fn work(mut self) {
        while !self.must_stop() {
            self.hold_once();
        }
    }

    fn must_stop(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn hold_once(&mut self) {
        let lock = self.locks.lock(self.name).wait_at_most(Duration::from_millis(500));
        let lock = match self.habit {
            Habit::Unrenewed => lock.renew_at_most(Duration::from_nanos(1)),
            Habit::Brief | Habit::Long => lock,
        };
        let Ok(guard) = block_on(lock.acquire()) else { return };
        let Some(entry) = self.oracle.begins(&guard) else { return };
        let looks = match self.habit {
            Habit::Brief => self.random.random_range(1..10),
            Habit::Unrenewed | Habit::Long => usize::MAX,
        };
        for _ in 0..looks {
            if !self.oracle.goes_on(entry, &guard) || self.must_stop() {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.oracle.goes_on(entry, &guard);
        let _ = block_on(guard.release());
    }
}
