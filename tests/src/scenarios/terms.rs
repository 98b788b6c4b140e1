//! A leader of a scenario, on a thread of its own: it works and listens to nothing until it is told that all is over.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use futures::executor::block_on;
use redlock::{Election, Instant, Locks, Term};

use super::work::Work;
use super::{Scene, SceneError};

/// A leader that goes on working as long as its future is not dropped.
pub(super) struct Leader {
    pub(super) election: Election,
    pub(super) term: Term,
    works: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Leader {
    /// Runs `election` until it leads.
    pub(super) fn start(scene: &Scene, locks: &Locks, election: Election) -> Result<Self, SceneError> {
        let (works, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let terms = Arc::new(Mutex::new(None));
        let thread = {
            let (election, env, terms) = (election.clone(), Arc::clone(locks.env()), Arc::clone(&terms));
            let (works, over) = (Arc::clone(&works), Arc::clone(&over));
            let work = move |term: Term| {
                terms.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(term);
                let (env, over, work) = (Arc::clone(&env), Arc::clone(&over), Work::begins(&works));
                async move {
                    while !over.load(Ordering::SeqCst) {
                        env.sleep_until(env.now().saturating_add(Duration::from_millis(5))).await;
                    }
                    drop(work);
                    ControlFlow::<()>::Continue(())
                }
            };
            let run = move || drop(block_on(election.run(work)));
            thread::Builder::new().name("leader".to_owned()).spawn(run).map_err(SceneError::Threads)?
        };
        let mut leader = None;
        scene.eventually("a candidate leads", || {
            leader = terms.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Ok(leader.is_some())
        })?;
        let term = leader.ok_or_else(|| SceneError::Process(io::Error::other("nobody leads")))?;
        Ok(Self { election, term, works, over, thread: Some(thread) })
    }

    /// Whether its work goes on.
    pub(super) fn works(&self) -> bool {
        self.works.load(Ordering::SeqCst)
    }

    /// Its work may return.
    pub(super) fn may_end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.may_end();
        self.election.retire();
        if let Some(thread) = self.thread.take() {
            // What it panics of, it has said.
            let _ = thread.join();
        }
    }
}

/// A term of somebody who has led for a moment and resigned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Short {
    pub(super) epoch: u64,
    pub(super) from: Instant,
    pub(super) until: Instant,
}

/// Campaigns, and resigns at once.
pub(super) fn lead_once(election: &Election) -> Result<Short, SceneError> {
    let mut leadership = block_on(election.campaign())?;
    let (epoch, from) = (leadership.epoch().get(), Instant::now());
    let until = leadership.valid_until().min(Instant::now());
    block_on(leadership.resign())?;
    Ok(Short { epoch, from, until })
}
