//! Sees to their end what its callers no longer wait for.
//!
//! After nearly every acquire and release some replies are still on their way. A task for each would wake the background
//! thousands of times a second for replies that come by themselves; so they are gathered, and looked at together a moment
//! later.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;

use crate::env::Env;

/// How long they are gathered: some round trips, and short beside every timeout.
const GATHER: Duration = Duration::from_millis(2);

/// What waits to be looked at.
#[derive(Default)]
pub(super) struct Adoption {
    gathered: Mutex<Gathered>,
    wake: Notify,
}

#[derive(Default)]
struct Gathered {
    tasks: Vec<BoxFuture<'static, ()>>,
    closed: bool,
}

impl fmt::Debug for Adoption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adoption").finish_non_exhaustive()
    }
}

impl Adoption {
    /// Starts the one who looks; it ends with [`Adoption::close`].
    pub(super) fn start(env: &Arc<dyn Env>) -> Arc<Self> {
        let adoption = Arc::new(Self::default());
        env.spawn(Box::pin(Arc::clone(&adoption).run(Arc::clone(env))));
        adoption
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a task that nobody is in a hurry for.
    pub(super) fn adopt(&self, task: BoxFuture<'static, ()>) {
        let mut gathered = self.gathered();
        gathered.tasks.push(task);
        let first = gathered.tasks.len() == 1;
        drop(gathered);
        if first {
            self.wake.notify_one();
        }
    }

    /// Nothing more will be adopted.
    pub(super) fn close(&self) {
        self.gathered().closed = true;
        self.wake.notify_one();
    }

    async fn run(self: Arc<Self>, env: Arc<dyn Env>) {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                Some(()) = running.next() => continue,
            }
            let gather = env.sleep_until(env.now().saturating_add(GATHER));
            tokio::pin!(gather);
            // What was taken over before goes on meanwhile.
            loop {
                tokio::select! {
                    biased;
                    Some(()) = running.next() => {}
                    () = &mut gather => break,
                }
            }
            let mut gathered = self.gathered();
            running.extend(gathered.tasks.drain(..));
            if gathered.closed {
                return;
            }
        }
    }
}
