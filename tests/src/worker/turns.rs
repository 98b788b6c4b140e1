//! What a worker does all the time: it wants a lock, gets it or not, keeps it for a while, and lets go.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redlock::{Lock, LockGuard, Locks};

use super::control::Control;
use super::hold::Holding;
use super::options::{Habit, Options, name_of};
use super::update::{self, Pause};
use crate::history::{ClientEvent, HoldId, Journal};
use crate::resource::ResourceClient;

/// How long it may take to acquire a lock when there are no faults any more.
const CALM_LIMIT: Duration = Duration::from_secs(60);

/// How often a holder looks whether it must stop.
const STEP: Duration = Duration::from_millis(10);

pub(super) struct Turns {
    client: usize,
    names: usize,
    habit: Habit,
    /// Makes elements unique among the processes of a client.
    process: u32,
    locks: Locks,
    journal: Journal,
    resource: Option<ResourceClient>,
    control: Control,
    random: StdRng,
    /// Holds are counted in the process.
    next: Arc<AtomicU64>,
}

/// How a lock is asked for.
enum Way {
    /// Waits for so long.
    Waits(Duration),
    /// Does not wait.
    Tries,
    /// Waits, and drops the acquisition half-way.
    Drops(Duration),
}

/// For how long it is held.
enum Span {
    For(Duration),
    /// So many hundredths of the TTL.
    Ttls(u32),
    /// To the end of its validity, without renewal.
    Unrenewed,
}

impl Turns {
    /// Those of one task of the process.
    pub(super) fn new(
        options: &Options,
        task: u64,
        next: Arc<AtomicU64>,
        locks: Locks,
        journal: Journal,
        resource: Option<ResourceClient>,
        control: Control,
    ) -> Self {
        let &Options { client, names, habit, seed, .. } = options;
        let random = StdRng::seed_from_u64(seed.wrapping_add(500_009 * task));
        let process = std::process::id();
        Self { client, names, habit, process, locks, journal, resource, control, random, next }
    }

    /// Turns until there are no faults any more; then every lock once.
    pub(super) async fn take(mut self) -> io::Result<()> {
        while !self.control.is_calm() {
            self.turn().await?;
            self.pause(Duration::from_millis(20)).await;
        }
        for number in 0..self.names {
            let lock = self.locks.lock(name_of(number));
            if let Some(holding) = self.acquire(&name_of(number), lock, Way::Waits(CALM_LIMIT)).await? {
                holding.end(true).await?;
            }
        }
        Ok(())
    }

    async fn turn(&mut self) -> io::Result<()> {
        let name = name_of(self.random.random_range(0..self.names.max(1)));
        let (way, span) = match self.habit {
            Habit::Mixed => (self.way(), self.span()),
            Habit::Careless | Habit::Leads => (Way::Waits(CALM_LIMIT), Span::For(Duration::ZERO)),
        };
        let lock = self.locks.lock(&name);
        let lock =
            if matches!(span, Span::Unrenewed) { lock.renew_at_most(Duration::from_nanos(1)) } else { lock };
        let Some(holding) = self.acquire(&name, lock, way).await? else { return Ok(()) };
        let began = Instant::now();
        if let Some(pause) = self.update_now(holding.held().ttl().get()) {
            self.update(&holding, pause)?;
        }
        let until = match span {
            Span::For(time) => Some(began + time),
            Span::Ttls(hundredths) => Some(began + holding.held().ttl().get() * hundredths / 100),
            Span::Unrenewed => None,
        };
        while holding.held().is_valid()
            && until.is_none_or(|until| Instant::now() < until)
            && !self.control.is_calm()
        {
            let left = until.map_or(STEP, |until| until.saturating_duration_since(Instant::now()));
            tokio::time::sleep(left.min(STEP)).await;
        }
        holding.end(self.random.random_bool(0.8)).await
    }

    /// Acquires, and notes how that went.
    async fn acquire(&mut self, name: &str, lock: Lock, way: Way) -> io::Result<Option<Holding>> {
        let hold: HoldId = self.next.fetch_add(1, Ordering::Relaxed);
        self.journal.note(ClientEvent::Wants { hold, name: name.to_owned() })?;
        match ask(lock, way).await {
            Ok(guard) => Holding::begin(hold, guard, &self.journal),
            Err(why) => {
                self.journal.note(ClientEvent::GaveUp { hold, why })?;
                Ok(None)
            }
        }
    }

    fn update(&mut self, holding: &Holding, pause: Pause) -> io::Result<()> {
        let Some(resource) = &mut self.resource else { return Ok(()) };
        let element = format!("{}-{}-{}", self.client, self.process, holding.hold);
        let read = update::read(resource, holding.held());
        // It blocks the thread, as real work does. The watch over the hold has threads of its own.
        thread::sleep(pause.time);
        let (fenced, unfenced) = update::write(resource, holding.held(), &read, &element, pause.looks);
        self.journal.note(ClientEvent::Added { hold: holding.hold, element, fenced, unfenced })
    }

    fn way(&mut self) -> Way {
        match self.random.random_range(0..10) {
            0..6 => Way::Waits(self.millis(200, 3000)),
            6..8 => Way::Tries,
            _ => Way::Drops(self.millis(0, 200)),
        }
    }

    fn span(&mut self) -> Span {
        match self.random.random_range(0..8) {
            0..5 => Span::For(self.millis(0, 100)),
            5 | 6 => Span::Ttls(self.random.random_range(50..300)),
            _ => Span::Unrenewed,
        }
    }

    /// Whether the resource is updated under this hold, and how.
    fn update_now(&mut self, ttl: Duration) -> Option<Pause> {
        match self.habit {
            Habit::Careless | Habit::Leads => Some(Pause { time: ttl * 2, looks: false }),
            Habit::Mixed => self.random.random_bool(0.5).then(|| {
                let hundredths = if self.random.random_bool(0.7) { 5 } else { 100 };
                let time = ttl * self.random.random_range(0..=hundredths) / 100;
                Pause { time, looks: self.random.random_bool(0.5) }
            }),
        }
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.random.random_range(from..to))
    }

    /// A random time, up to this.
    async fn pause(&mut self, up_to: Duration) {
        tokio::time::sleep(up_to.mul_f64(self.random.random())).await;
    }
}

async fn ask(lock: Lock, way: Way) -> Result<LockGuard, String> {
    match way {
        Way::Waits(limit) => lock.wait_at_most(limit).acquire().await.map_err(|error| error.to_string()),
        Way::Tries => match lock.try_acquire().await {
            Ok(guard) => guard.ok_or_else(|| "somebody else has it".to_owned()),
            Err(error) => Err(error.to_string()),
        },
        Way::Drops(limit) => match tokio::time::timeout(limit, lock.acquire()).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("dropped".to_owned()),
        },
    }
}
