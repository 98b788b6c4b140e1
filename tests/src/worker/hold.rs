//! One hold, watched by threads that nothing else delays.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::executor::block_on;
use redlock::{Held, Instant, LockGuard};

use crate::history::{ClientEvent, HoldId, Journal};

const LOOKS: Duration = Duration::from_millis(20);

/// A lock that is held.
pub(super) struct Holding {
    pub(super) hold: HoldId,
    guard: LockGuard,
    journal: Journal,
    /// Dropped, it ends the looks.
    looking: Sender<()>,
    looks: JoinHandle<io::Result<()>>,
    loss: JoinHandle<io::Result<()>>,
}

impl Holding {
    /// Notes that it was acquired, and watches it. `None`: it is held no longer.
    pub(super) fn begin(hold: HoldId, guard: LockGuard, journal: &Journal) -> io::Result<Option<Self>> {
        if !journal.acquired(hold, &guard)? {
            return Ok(None);
        }
        let (looking, stop) = mpsc::channel();
        let (held, notes) = (guard.held(), journal.clone());
        let looks = thread::Builder::new().name("looks".to_owned()).spawn(move || {
            while stop.recv_timeout(LOOKS) == Err(RecvTimeoutError::Timeout) {
                if !notes.holds(hold, &held)? {
                    break;
                }
            }
            Ok(())
        })?;
        let (held, notes) = (guard.held(), journal.clone());
        let loss =
            thread::Builder::new().name("loss".to_owned()).spawn(move || note_loss(hold, &held, &notes))?;
        Ok(Some(Self { hold, guard, journal: journal.clone(), looking, looks, loss }))
    }

    pub(super) fn held(&self) -> &Held {
        &self.guard
    }

    /// Lets go of it: by a release, or by dropping it.
    pub(super) async fn end(self, explicitly: bool) -> io::Result<()> {
        let Self { hold, guard, journal, looking, looks, loss } = self;
        drop(looking);
        join(looks)?;
        // The last look for certain; nothing after this is.
        journal.holds(hold, &guard)?;
        journal.note(ClientEvent::Releases { hold })?;
        let outcome = if explicitly {
            guard.release().await.map_or_else(|error| error.to_string(), |()| "released".to_owned())
        } else {
            drop(guard);
            "dropped".to_owned()
        };
        join(loss)?;
        journal.note(ClientEvent::Released { hold, outcome })
    }
}

fn note_loss(hold: HoldId, held: &Held, journal: &Journal) -> io::Result<()> {
    let reason = block_on(held.lost());
    let now = Instant::now();
    // Without a reason it was released.
    let Some(reason) = reason else { return Ok(()) };
    let valid_until = held.valid_until().as_nanos();
    journal.note_at(now, ClientEvent::Lost { hold, why: format!("{reason:?}"), valid_until })
}

fn join(thread: JoinHandle<io::Result<()>>) -> io::Result<()> {
    thread.join().map_err(|_| io::Error::other("a thread that watches a hold has panicked"))?
}
