//! `Locks`: a set of nodes, and the locks on them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::builder::LocksBuilder;
use crate::driver::Driver;
use crate::election::Election;
use crate::env::{Env, jitter};
use crate::holder::Introduction;
use crate::id::{Instant, InvalidName, LockName};
use crate::lock::Lock;
use crate::look::{self, LockView};
use crate::node::Node;
use crate::preflight::{self, Measure, Report};
use crate::protections::Protections;
use crate::queue::Queue;
use crate::quorum::Quorum;
use crate::renewal::Renewal;
use crate::settings::Settings;
use crate::telemetry::events;

/// A set of nodes, and the locks on them. Cloning it is cheap; all clones share connections, renewal and queues.
///
/// Dropping the last clone and the last guard ends its threads and connections, once what is still to be released has
/// been released or has expired. At the end of a program call [`Locks::shutdown`]: the process takes its threads along.
#[derive(Clone)]
pub struct Locks {
    core: Arc<Core>,
}

impl Locks {
    /// Starts with the defaults of a quorum lock; add nodes.
    pub fn builder() -> LocksBuilder {
        LocksBuilder::new()
    }

    /// The lock with this name: 1 to [`LockName::MAX_BYTES`] bytes, any. Touches no node; a bad name is reported when it is
    /// acquired.
    pub fn lock(&self, name: impl AsRef<[u8]>) -> Lock {
        Lock::new(Arc::clone(&self.core), LockName::new(name))
    }

    /// The election with this name, for which this process is a candidate: of all candidates, in whatever process, one leads at a
    /// time. It is the lock with the same name; use the name for nothing else. Touches no node; a bad name is reported when
    /// it is campaigned for.
    pub fn election(&self, name: impl AsRef<[u8]>) -> Election {
        Election::new(self, name.as_ref())
    }

    /// The clock, the timers and the randomness that it uses: for what is built on top of it and is to run on virtual time too.
    pub fn env(&self) -> &Arc<dyn Env> {
        &self.core.driver.env
    }

    pub(crate) fn protections(&self) -> &Protections {
        &self.core.driver.protections
    }

    /// How many nodes there are, and how many must grant.
    pub fn quorum(&self) -> Quorum {
        self.core.driver.quorum
    }

    /// How long nodes keep a lock that states no TTL, without renewal: [`LocksBuilder::ttl`].
    pub fn ttl(&self) -> Duration {
        self.core.settings.ttl.get()
    }

    /// The nodes, in the order in which they were given.
    pub fn nodes(&self) -> &[Arc<dyn Node>] {
        self.core.driver.nodes()
    }

    /// Looks at the nodes: who they are, how they are set up, whether they go together. Changes nothing on them. A node
    /// that does not answer takes a few seconds, and is a finding.
    ///
    /// Cancel safe: dropped, nothing is left.
    pub async fn preflight(&self) -> Report {
        let driver = &self.core.driver;
        let measure = Measure::new(driver.quorum, &self.core.settings);
        preflight::run(&driver.env, driver.nodes(), measure).await
    }

    /// Who holds a lock: asks every node once, and changes nothing. It returns as soon as no further answer could change
    /// [`LockView::holder`] or [`LockView::is_free`]; until then it waits for every node, for its time
    /// ([`LocksBuilder::node_timeout`]) at most. [`LocksBuilder::view`] shows every node.
    ///
    /// Cancel safe: dropped, nothing is left.
    ///
    /// # Errors
    /// [`InvalidName`] for a name that no lock can have.
    pub async fn look(&self, name: impl AsRef<[u8]>) -> Result<LockView, InvalidName> {
        let name = LockName::new(name)?;
        let settings = &self.core.settings;
        Ok(look::look(&self.core.driver, name, settings.node_timeout(settings.ttl)).await)
    }

    /// Stops acquiring, and waits until every guard has been dropped and every release has been seen to its end, for
    /// `patience` at most.
    ///
    /// From the call on, acquiring fails with [`AcquireError::ShutDown`](crate::AcquireError::ShutDown). Guards that are
    /// open stay valid and are renewed meanwhile, since somebody may still act under them. Those that are open at the end
    /// are renewed no longer: they stay valid until their `valid_until`, report the loss there, and expire on the nodes.
    /// A lock is never released under a holder that has not let go of it.
    ///
    /// Applies to all clones, and cannot be undone. Cancel safe: dropped, acquiring stays off, and open guards are renewed
    /// on.
    pub async fn shutdown(&self, patience: Duration) -> ShutdownReport {
        self.close();
        let core = &self.core;
        let limit = core.driver.env.sleep_until(core.driver.env.now().saturating_add(patience));
        let quiet = async {
            core.renewal.emptied().await;
            core.driver.idle().await;
        };
        tokio::select! {
            biased;
            () = quiet => {}
            () = limit => {}
        }
        let report =
            ShutdownReport { open_guards: core.renewal.len(), unsettled: core.driver.background_tasks() };
        core.renewal.freeze();
        if report.open_guards > 0 || report.unsettled > 0 {
            events::shutdown_incomplete(report.open_guards, report.unsettled);
        }
        report
    }

    /// Stops acquiring, and waits for nothing.
    pub(crate) fn close(&self) {
        self.core.closed.store(true, Ordering::SeqCst);
        self.core.closing.notify_waiters();
    }

    /// Whether both are clones of one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }

    /// The same, for code without an async runtime.
    pub fn blocking(&self) -> crate::blocking::Locks {
        crate::blocking::Locks::new(self.clone())
    }

    pub(crate) fn has_fencing(&self) -> bool {
        self.core.settings.fencing.is_some()
    }

    pub(crate) fn start(driver: Arc<Driver>, settings: Settings) -> Self {
        let renewal = Renewal::start(&driver);
        if let Some(fleet) = &driver.fleet {
            let guard = Arc::clone(fleet).run(Arc::clone(&driver), Arc::clone(&renewal));
            driver.spawn_service(guard);
        }
        let by = settings.describe_holder.then(Introduction::of_this_process);
        let (queue, closed, closing) = (Queue::default(), AtomicBool::new(false), Notify::new());
        Self { core: Arc::new(Core { driver, settings, by, renewal, queue, closed, closing }) }
    }
}

impl fmt::Debug for Locks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locks").field("nodes", &self.nodes()).field("quorum", &self.quorum()).finish()
    }
}

/// What was left when [`Locks::shutdown`] returned. All zero: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Guards that have not been dropped; their locks expire on the nodes.
    pub open_guards: usize,
    /// Releases that no node, or not every node, has answered; they go on, and what they are about expires.
    pub unsettled: usize,
}

/// What all clones and guards share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) driver: Arc<Driver>,
    pub(crate) settings: Settings,
    /// What every holder says of itself.
    pub(crate) by: Option<Arc<str>>,
    pub(crate) renewal: Arc<Renewal>,
    pub(crate) queue: Queue,
    closed: AtomicBool,
    closing: Notify,
}

impl Core {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// How many times a lease may be handed over within this process, if the lock says `own`; `None`: never.
    pub(crate) fn handoff(&self, own: Option<u32>) -> Option<u32> {
        // Without the bound there are tokens for so many holders that others would wait in vain.
        const WITHOUT_BOUND: u32 = 1 << 20;
        match own.unwrap_or(self.settings.handoff) {
            0 => None,
            _ if !self.driver.protections.handoff_bound() => Some(WITHOUT_BOUND),
            most => Some(most),
        }
    }

    /// Until when the waiters of this process leave the nodes to those of others: as long as these take to hear of a release, to
    /// look, and to ask. A round trip takes about `took`.
    pub(crate) fn turn_of_others(&self, took: Duration) -> Instant {
        const SHORTEST: Duration = Duration::from_millis(1);
        const LONGEST_TRIP: Duration = Duration::from_millis(25);
        let env = &*self.driver.env;
        let more = Duration::from_nanos(jitter(env) % 1_000_000);
        env.now().saturating_add(SHORTEST + more + 2 * took.min(LONGEST_TRIP))
    }

    /// Completes once nothing is acquired any more.
    pub(crate) async fn closed(&self) {
        // Made before the look, so that a close in between is not missed.
        let closing = self.closing.notified();
        if !self.is_closed() {
            closing.await;
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.renewal.close();
        if let Some(fleet) = &self.driver.fleet {
            fleet.close();
        }
    }
}
