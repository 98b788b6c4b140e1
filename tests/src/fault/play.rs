//! Playing a schedule on a stage.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::strike::{Stage, Strike};
use crate::history::RunEvent;
use crate::network::Network;

/// How often `stop` is looked at, and progress told.
const LOOK: Duration = Duration::from_millis(50);

/// How often what could not be undone is tried again in the end, and how long apart.
const TRIES: usize = 5;
const APART: Duration = Duration::from_millis(200);

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Since its beginning.
    pub elapsed: Duration,
    /// Faults that have begun, or could not, or were left out.
    pub struck: usize,
    /// All of the schedule.
    pub of: usize,
}

/// Plays a schedule until it is over or `stop` is set, and heals everything then, also after an error or a panic of `record`.
///
/// Faults that cannot be done or undone are recorded ([`RunEvent::Failed`]), and the others go on. Where doing one takes long,
/// the rest is put off by as much, so that the distances that the schedule keeps are kept; what would then end later than
/// the schedule as a whole is left out.
///
/// # Errors
/// What could not be healed in the end.
pub fn play(
    stage: &Stage<'_>,
    strikes: &[Strike],
    record: &dyn Fn(RunEvent),
    stop: &AtomicBool,
    progress: &dyn Fn(Progress),
) -> Result<(), String> {
    let mut open = Open::new(stage);
    let mut watch = Watch { started: Instant::now(), put_off: Duration::ZERO };
    let last = strikes.iter().map(Strike::ends).max().unwrap_or_default();
    let mut waiting: VecDeque<&Strike> = strikes.iter().collect();
    waiting.make_contiguous().sort_by_key(|strike| strike.after);
    while let Some(at) =
        [open.next_end(), waiting.front().map(|strike| strike.after)].into_iter().flatten().min()
    {
        let tell = |elapsed| {
            progress(Progress { elapsed, struck: strikes.len() - waiting.len(), of: strikes.len() });
        };
        if !watch.sleep_until(at, stop, &tell) {
            break;
        }
        // What ends makes room for what begins at the same time.
        if open.next_end() == Some(at) {
            open.end(at, record);
        } else if let Some(strike) = waiting.pop_front()
            && watch.put_off + strike.ends() <= last + LOOK
        {
            open.begin(strike, record);
        }
        watch.catch_up(at);
    }
    open.heal(record)
}

/// The schedule's time, which stands still while a fault takes long to do.
struct Watch {
    started: Instant,
    put_off: Duration,
}

impl Watch {
    /// Whether it got there without being stopped.
    fn sleep_until(&self, at: Duration, stop: &AtomicBool, tell: &dyn Fn(Duration)) -> bool {
        let at = at + self.put_off;
        loop {
            tell(self.started.elapsed());
            if stop.load(Ordering::SeqCst) {
                return false;
            }
            let left = at.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(LOOK));
        }
    }

    /// What was to be done at this time has been done.
    fn catch_up(&mut self, at: Duration) {
        let late = self.started.elapsed().saturating_sub(at + self.put_off);
        if late > LOOK {
            self.put_off += late;
        }
    }
}

/// Faults that are not undone yet. They are when this is dropped.
struct Open<'a> {
    stage: &'a Stage<'a>,
    /// To be undone at their times.
    lasting: Vec<&'a Strike>,
    /// Those that could not be done or undone.
    broken: Vec<&'a Strike>,
}

impl<'a> Open<'a> {
    const fn new(stage: &'a Stage<'a>) -> Self {
        Self { stage, lasting: Vec::new(), broken: Vec::new() }
    }

    /// When the first of them is to be undone.
    fn next_end(&self) -> Option<Duration> {
        self.lasting.iter().map(|strike| strike.ends()).min()
    }

    /// Does nothing to what an earlier fault has left broken.
    fn begin(&mut self, strike: &'a Strike, record: &dyn Fn(RunEvent)) {
        self.revive(record);
        if self.broken.iter().any(|broken| broken.target == strike.target) {
            return;
        }
        // Whatever happens from here on, it will be undone.
        self.broken.push(strike);
        record(RunEvent::Fault {
            id: strike.id,
            kind: strike.kind.name().to_owned(),
            target: strike.target,
            detail: strike.detail(),
        });
        let begun = self.stage.begin(strike);
        if begun.is_ok() {
            self.broken.pop();
            self.lasting.extend(strike.lasts.map(|_| strike));
        } else if let Err(why) = begun {
            record(RunEvent::Failed { id: strike.id, why });
            if self.stage.revive(strike).is_ok() {
                self.broken.pop();
                record(RunEvent::Healed { id: strike.id });
            }
        }
    }

    /// Undoes what is to be undone by then.
    fn end(&mut self, by: Duration, record: &dyn Fn(RunEvent)) {
        while let Some(index) = self.lasting.iter().position(|strike| strike.ends() <= by) {
            let strike = self.lasting[index];
            let undone = self.stage.end(strike);
            self.lasting.remove(index);
            match undone {
                Ok(()) => record(RunEvent::Healed { id: strike.id }),
                Err(why) => {
                    self.broken.push(strike);
                    record(RunEvent::Failed { id: strike.id, why });
                }
            }
        }
    }

    /// Undoes everything, whatever has failed before.
    fn heal(&mut self, record: &dyn Fn(RunEvent)) -> Result<(), String> {
        self.end(Duration::MAX, record);
        mend(self.stage.network);
        for _ in 1..TRIES {
            if self.revive(record).is_empty() {
                return Ok(());
            }
            thread::sleep(APART);
        }
        match self.revive(record) {
            still if still.is_empty() => Ok(()),
            still => Err(format!("these faults could not be undone: {}", still.join("; "))),
        }
    }

    /// Tries to undo what could not be undone before; returns what still cannot.
    fn revive(&mut self, record: &dyn Fn(RunEvent)) -> Vec<String> {
        let mut still = Vec::new();
        while let Some(&strike) = self.broken.get(still.len()) {
            match self.stage.revive(strike) {
                Ok(()) => {
                    self.broken.remove(still.len());
                    record(RunEvent::Healed { id: strike.id });
                }
                Err(why) => still.push(format!("{} of {:?}: {why}", strike.kind, strike.target)),
            }
        }
        still
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // Nothing is left here, unless `record` or `progress` panicked.
        for strike in self.lasting.drain(..).chain(self.broken.drain(..)) {
            let _ = self.stage.revive(strike);
        }
        mend(self.stage.network);
    }
}

fn mend(network: &Network) {
    for way in network.ways() {
        way.mend();
        way.delay(None, 0);
        way.lose_no_reply();
    }
}
