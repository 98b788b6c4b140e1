//! The backend that is checked: how to make clients of its store, and what can be done to it.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use crate::env::Env;
use crate::node::Node;
use crate::testing::virtual_env::VirtualEnv;

type Open = dyn Fn(&str) -> Arc<dyn Node> + Send + Sync;
/// Something that is done to the store; it blocks until it is done.
pub(super) type Hook = Arc<dyn Fn() + Send + Sync>;

/// A store to be checked, as its clients see it, and what the test can do to it.
///
/// Only the way to make clients is needed. Every hook that is given makes more checks possible; those that lack theirs
/// are reported as not applicable, with the hook that they lack.
#[derive(Clone)]
pub struct Subject {
    pub(super) env: Arc<dyn Env>,
    /// Where time is virtual.
    simulation: Option<Arc<VirtualEnv>>,
    open: Arc<Open>,
    /// Stop the store, and let it go on.
    pub(super) pause: Option<(Hook, Hook)>,
    pub(super) restart: Option<Hook>,
    pub(super) forget: Option<Hook>,
    pub(super) names: Vec<Vec<u8>>,
    pub(super) secrets: Vec<String>,
}

impl Subject {
    /// A store whose clients `open` makes, each call a new one, with keys of their own for each namespace (at most 32 characters of
    /// `a-z`, `0-9` and `-`). Whatever is wrong with it, `open` may panic: every check fails with that.
    ///
    /// `env` is the environment in which the nodes live, or one like it: see [`real_env`](crate::testing::real_env).
    pub fn new(env: Arc<dyn Env>, open: impl Fn(&str) -> Arc<dyn Node> + Send + Sync + 'static) -> Self {
        Self {
            env,
            simulation: None,
            open: Arc::new(open),
            pause: None,
            restart: None,
            forget: None,
            names: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// The same on virtual time: nodes that live in `simulation`'s environment, or in those of its clients.
    pub fn on_virtual_time(
        simulation: Arc<VirtualEnv>,
        open: impl Fn(&str) -> Arc<dyn Node> + Send + Sync + 'static,
    ) -> Self {
        let env = simulation.env();
        Self { simulation: Some(simulation), ..Self::new(env, open) }
    }

    /// The test can stop the store, for all of its clients, as SIGSTOP does, and let it go on: what was sent meanwhile queues up
    /// and is run then. Both must have happened when the functions return.
    #[must_use]
    pub fn pausing(
        self,
        pause: impl Fn() + Send + Sync + 'static,
        resume: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { pause: Some((Arc::new(pause), Arc::new(resume))), ..self }
    }

    /// The test can restart the store's processes: killed, and started again on the same data.
    #[must_use]
    pub fn restarting(self, restart: impl Fn() + Send + Sync + 'static) -> Self {
        Self { restart: Some(Arc::new(restart)), ..self }
    }

    /// The test can have the store forget everything, its marker too, as FLUSHALL does.
    #[must_use]
    pub fn forgetting(self, forget: impl Fn() + Send + Sync + 'static) -> Self {
        Self { forget: Some(Arc::new(forget)), ..self }
    }

    /// More names to lock in one namespace: those that look like keys of the backend's own.
    #[must_use]
    pub fn names<N: Into<Vec<u8>>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// What must not appear where people look: passwords, tokens.
    #[must_use]
    pub fn secrets<S: Into<String>>(self, secrets: impl IntoIterator<Item = S>) -> Self {
        Self { secrets: secrets.into_iter().map(Into::into).collect(), ..self }
    }

    /// A new client.
    pub(super) fn client(&self, namespace: &str) -> Arc<dyn Node> {
        (self.open)(namespace)
    }

    /// Drives the future that `make` makes to its end, outside any runtime.
    pub(super) fn drive<T: Send, F: Future<Output = T>>(&self, make: impl FnOnce() -> F + Send) -> T {
        match &self.simulation {
            Some(simulation) => simulation.block_on(make()),
            // A thread of its own: the caller's may be one of a runtime, or drive another future already.
            None => thread::scope(|scope| {
                let driven = scope.spawn(|| futures::executor::block_on(make()));
                driven.join().unwrap_or_else(|panic| resume_unwind(panic))
            }),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hooks = [
            ("pausing", self.pause.is_some()),
            ("restarting", self.restart.is_some()),
            ("forgetting", self.forget.is_some()),
        ];
        let given: Vec<_> = hooks.iter().filter(|(_, is_given)| *is_given).map(|(hook, _)| hook).collect();
        f.debug_struct("Subject").field("hooks", &given).finish_non_exhaustive()
    }
}
