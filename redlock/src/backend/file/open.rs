//! Opening the directory, and reserving fencing counters: what may wait for a disk, and therefore runs elsewhere.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::LEAD;
use super::carry::carried;
use super::fault::{Fault, Outcome};
use super::machine::Machine;
use super::place::Place;
use crate::env::Env;
use crate::node::NodeErrorKind;

/// A directory that is opened when it is needed.
#[derive(Debug)]
pub(super) struct Opening {
    root: PathBuf,
    machine: Option<Machine>,
    env: Arc<dyn Env>,
    place: Mutex<Option<Arc<Place>>>,
    /// One at a time opens it or reserves.
    work: Arc<tokio::sync::Mutex<()>>,
}

impl Opening {
    pub(super) fn new(root: PathBuf, machine: Option<Machine>, env: Arc<dyn Env>) -> Self {
        Self { root, machine, env, place: Mutex::default(), work: Arc::default() }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Place>>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open directory. Those who find it closed wait for one attempt to open it; an attempt that failed is made again by the
    /// next who asks.
    pub(super) async fn place(self: &Arc<Self>) -> Outcome<Arc<Place>> {
        if let Some(place) = &*self.current() {
            return Ok(Arc::clone(place));
        }
        let opening = Arc::clone(self);
        carried(&*self.env, async move { opening.open().await }).await.unwrap_or_else(|| Err(ended()))
    }

    async fn open(&self) -> Outcome<Arc<Place>> {
        let _work = self.work.lock().await;
        if let Some(place) = &*self.current() {
            return Ok(Arc::clone(place));
        }
        let (root, machine, wall) = (self.root.clone(), self.machine.clone(), self.env.wall_micros());
        let place = Arc::new(self.run(move || Place::open(&root, machine.as_ref(), wall)).await?);
        *self.current() = Some(Arc::clone(&place));
        Ok(place)
    }

    /// It is opened anew by the next who needs it.
    pub(super) fn close(&self) {
        self.current().take();
    }

    /// Completes when a counter may stand at `counter`.
    pub(super) async fn reserve(&self, place: &Arc<Place>, counter: u64) -> Outcome<()> {
        let _work = self.work.lock().await;
        if counter <= place.mark() {
            return Ok(());
        }
        let place = Arc::clone(place);
        self.run(move || place.reserve(counter)).await
    }

    /// Reserves counters in the background when those at hand come to their end.
    pub(super) fn reserve_ahead(&self, place: &Arc<Place>, wall: u64) {
        if wall.saturating_add(LEAD / 4) < place.mark() {
            return;
        }
        let Ok(work) = Arc::clone(&self.work).try_lock_owned() else { return };
        let place = Arc::clone(place);
        self.env.spawn_blocking(Box::new(move || {
            // Whoever needs one that is not reserved hears why.
            let _ = place.reserve(wall);
            drop(work);
        }));
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
        let (done, outcome) = oneshot::channel();
        self.env.spawn_blocking(Box::new(move || {
            // The caller may have gone.
            let _ = done.send(work());
        }));
        outcome.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// Nobody is there to do it.
pub(super) fn ended() -> Fault {
    Fault::new(NodeErrorKind::Unreachable, "the threads of this node have ended")
}
