//! A candidate beside the tasks of a worker: it leads whenever it can, and writes down when it led, and when its work went on.
//!
//! A term is written down as a hold of the election's name. While the work runs and the term is valid, that is [`Holds`]; when it runs
//! although the term is over, it is [`Works`], which nobody excuses but a process that did not get the CPU.
//!
//! [`Holds`]: ClientEvent::Holds
//! [`Works`]: ClientEvent::Works

use std::ops::ControlFlow;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem};

use futures::executor::block_on;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redlock::{Election, Locks, Term};

use super::control::Control;
use crate::history::{ClientEvent, ELECTION, HoldId, Journal};

/// How often the work goes on.
const STEP: Duration = Duration::from_millis(10);

/// How long work takes to end that was told to stop: far longer than a late thread is excused.
const TAIL: Duration = Duration::from_millis(300);

/// Leads in turns until there are no faults any more; then once more.
pub(super) struct Candidate {
    election: Election,
    journal: Journal,
    control: Control,
    random: StdRng,
    /// Holds are counted in the process.
    next: Arc<AtomicU64>,
    wanted: Arc<Mutex<Wanted>>,
    watches: Arc<Mutex<Vec<JoinHandle<io::Result<()>>>>>,
}

/// The term that a candidate wants next.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    hold: HoldId,
    /// Whether there were no faults any more when it began to want it.
    in_calm: bool,
}

impl Candidate {
    pub(super) fn new(
        locks: &Locks,
        seed: u64,
        next: Arc<AtomicU64>,
        journal: Journal,
        control: Control,
    ) -> Self {
        let random = StdRng::seed_from_u64(seed.wrapping_add(700_001));
        let (election, wanted, watches) = (locks.election(ELECTION), Arc::default(), Arc::default());
        Self { election, journal, control, random, next, wanted, watches }
    }

    pub(super) async fn stand(mut self) -> io::Result<()> {
        let election = self.election.clone();
        let wish = self.wish();
        wish.anew();
        let end = election.run(|term| self.work(term)).await;
        // What it wanted behind its last term, or in vain.
        let why = end.as_ref().err().map_or_else(|| "has led".to_owned(), ToString::to_string);
        wish.note(ClientEvent::GaveUp { hold: wish.wanted().hold, why });
        // Every leadership has ended.
        let watches = mem::take(&mut *locked(&self.watches));
        for watch in watches {
            watch.join().map_err(|_| io::Error::other("a thread that watches a term has panicked"))??;
        }
        end.map(drop).map_err(io::Error::other)
    }

    fn wish(&self) -> Wish {
        Wish {
            election: self.election.clone(),
            journal: self.journal.clone(),
            control: self.control.clone(),
            next: Arc::clone(&self.next),
            wanted: Arc::clone(&self.wanted),
            watches: Arc::clone(&self.watches),
        }
    }

    /// What is done in one term.
    fn work(&mut self, term: Term) -> impl Future<Output = ControlFlow<()>> + use<> {
        let (control, wish) = (self.control.clone(), self.wish());
        let is_last = wish.wanted().in_calm;
        let ttl = term.valid_until().saturating_since(term.since());
        let (is_deaf, steps_down) = (self.random.random_bool(0.5), self.random.random_bool(0.5));
        // Without a partition or two beyond a TTL nothing is shown of work that listens to nothing.
        let longest = if is_deaf { ttl * 3 } else { ttl };
        let length = if is_last { Duration::ZERO } else { longest.mul_f64(self.random.random()) };
        async move {
            let Some(office) = Office::begin(term, wish) else { return ControlFlow::Continue(()) };
            let over = |since: Instant, limit| since.elapsed() >= limit || control.is_calm();
            let began = Instant::now();
            let mut told = None;
            while !over(began, length) && told.is_none_or(|told| is_deaf || !over(told, TAIL)) {
                office.goes_on();
                let stop = async {
                    // It completes at once, and again and again.
                    if told.is_some() {
                        std::future::pending().await
                    } else {
                        office.term.stop_requested().await
                    }
                };
                tokio::select! {
                    _ = stop => told = Some(Instant::now()),
                    () = tokio::time::sleep(STEP) => {}
                }
            }
            if steps_down && !is_last {
                office.wish.election.set_eligible(false);
                let told = Instant::now();
                while !over(told, TAIL) {
                    office.goes_on();
                    tokio::time::sleep(STEP).await;
                }
            }
            if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
}

/// What a candidate wants next.
struct Wish {
    election: Election,
    journal: Journal,
    control: Control,
    next: Arc<AtomicU64>,
    wanted: Arc<Mutex<Wanted>>,
    watches: Arc<Mutex<Vec<JoinHandle<io::Result<()>>>>>,
}

impl Wish {
    fn wanted(&self) -> Wanted {
        *locked(&self.wanted)
    }

    /// It wants another term.
    fn anew(&self) {
        let hold = self.next.fetch_add(1, Ordering::Relaxed);
        *locked(&self.wanted) = Wanted { hold, in_calm: self.control.is_calm() };
        self.note(ClientEvent::Wants { hold, name: ELECTION.to_owned() });
    }

    fn note(&self, what: ClientEvent) {
        written(self.journal.note(what));
    }
}

/// A term, until its work has returned or was dropped.
struct Office {
    term: Term,
    hold: HoldId,
    wish: Wish,
}

impl Office {
    /// Begins when the work is polled first. `None`: it was over by then, and nothing is noted of it.
    fn begin(term: Term, wish: Wish) -> Option<Self> {
        let hold = wish.wanted().hold;
        // What is valid now has been valid ever since.
        if term.remaining().is_zero() {
            return None;
        }
        let (token, valid_until) = (Some(term.epoch().get()), term.valid_until().as_nanos());
        written(wish.journal.note_at(term.since(), ClientEvent::Acquired { hold, token, valid_until }));
        let (watched, notes) = (term.clone(), wish.journal.clone());
        let watch = move || match block_on(watched.lost()) {
            // It was resigned.
            None => Ok(()),
            Some(why) => {
                let valid_until = watched.valid_until().as_nanos();
                notes.note(ClientEvent::Lost { hold, why: format!("{why:?}"), valid_until })
            }
        };
        let watch = written(thread::Builder::new().name("term".to_owned()).spawn(watch));
        locked(&wish.watches).push(watch);
        Some(Self { term, hold, wish })
    }

    /// The work goes on now.
    fn goes_on(&self) {
        // Read before the look: validity has no gaps, so that it led then for certain, however long the look takes.
        let (now, hold) = (redlock::Instant::now(), self.hold);
        let valid_until = self.term.valid_until().as_nanos();
        let leads = !self.term.remaining().is_zero();
        let what = if leads { ClientEvent::Holds { hold, valid_until } } else { ClientEvent::Works { hold } };
        written(self.wish.journal.note_at(now, what));
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        let hold = self.hold;
        self.wish.note(ClientEvent::Releases { hold });
        self.wish.note(ClientEvent::Released { hold, outcome: "its work has ended".to_owned() });
        // It may stand again; what it has is resigned first.
        self.wish.election.set_eligible(true);
        self.wish.anew();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A history with gaps would be misjudged.
fn written<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("a worker cannot write down what it does: {error}");
        process::exit(1)
    })
}
