//! Leader election, on the public lock API alone: of all candidates for a name, one leads at a time.

mod candidate;
mod error;
mod health;
mod leadership;
mod observe;
mod office;
mod record;
mod run;
mod standing;
mod term;
mod view;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::telemetry::{CampaignFailure, ElectionMeters, events};
use crate::{AcquireError, InvalidName, Lock, LockGuard, LockName, Locks};

pub use candidate::Candidate;
pub use error::{CampaignError, ProclaimError};
pub use health::Health;
pub use leadership::Leadership;
pub use observe::{LeaderError, Observation, Observer};
pub use office::Overrun;
pub use term::{LeadershipState, StopReason, Term};
pub use view::{Disconnected, Leader};

use office::{OnOverrun, Shared};
use record::Description;
use standing::{Eligibility, Standing};

/// About how often an observer looks.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// When a winner says on the nodes that it leads, with its epoch: a round trip, which makes nothing safer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announcement {
    /// Before anybody is told of it.
    First,
    /// While its work begins.
    Meanwhile,
}

/// A candidate for an election. From [`Locks::election`].
///
/// Of all candidates for a name, in whatever process, one leads at a time: whoever holds the lock with that name. [`run`](Election::run)
/// is the way to use it: it campaigns again and again, and calls the work with every leadership. [`campaign`](Election::campaign)
/// leaves the course of things to the caller. [`leader`](Election::leader) and [`observe`](Election::observe) tell who leads; for them
/// one need not campaign.
///
/// Clones are the same candidate: what is set by [`set_eligible`](Election::set_eligible) and [`retire`](Election::retire) applies to
/// all. Settings are each clone's own. One candidate campaigns once at a time: a second campaign would wait for the first one's
/// leadership to end.
///
/// # What it promises
/// All that the lock promises, and no more: of the leaders of a name one is within its validity at a time, and every later one has a
/// greater [epoch](Term::epoch). A leader whose process stands still (a paused virtual machine, `SIGSTOP`) may wake after another has
/// taken over, and do what it was about to do; only the resource that it acts on can refuse that, by the epoch.
///
/// A leader that cannot reach a majority of nodes stops before the next one begins: it counts its validity from before it asked, by a
/// clock that goes on while the machine sleeps, less an allowance for drift. All candidates of an election should have the same TTL and
/// takeover delay; it is safe if they have not.
///
/// # Cancellation and drop
/// | dropped | what it leaves |
/// |---|---|
/// | [`campaign`](Election::campaign), [`try_campaign`](Election::try_campaign) | Nothing. What was won is resigned in the background. |
/// | [`run`](Election::run) | The work is dropped first; then the leadership is resigned in the background. |
/// | [`Leadership`] | The leadership has ended; it is resigned in the background, without blocking. |
/// | [`resign`](Leadership::resign) | The leadership has ended; the resignation goes on, and can be asked for again. |
/// | [`proclaim`](Term::proclaim) | Some nodes may show the new value; all do after the next renewal. |
/// | [`Term`], [`Observer`], an [`Election`] that does not campaign | Nothing. |
///
/// # Nodes of different kinds
/// An election works on every kind of node, and on mixed ones. They differ in how soon things are noticed, and in what they survive:
///
/// | nodes | a resignation is noticed | a leader that has died is followed after | who can be a candidate |
/// |---|---|---|---|
/// | several Redis | at once: they tell | the TTL | everybody; a minority of nodes may fail |
/// | one Redis | at once | the TTL | everybody, as long as it runs; a restart takes as long as the longest TTL |
/// | memcached | at the next question: [`acquire_interval`](crate::LocksBuilder::acquire_interval), [`poll_interval`](Election::poll_interval) | the TTL in whole seconds, and up to 3 s more | everybody; eviction can end a leadership (it is lost, and told) |
/// | etcd | at once | the TTL in whole seconds | everybody who reaches a majority of its members |
/// | ZooKeeper | at once | its session timeout, which is longer than the TTL | everybody who reaches a majority of its members |
/// | a directory | at once on Linux, otherwise at the next question | the TTL | the processes of one machine |
/// | memory | at once | the TTL | one process |
///
/// Over several nodes it is the majority that counts. A TTL that a kind of node cannot keep is refused when it is campaigned for.
///
/// # Health
/// ```no_run
/// # fn example(election: &redlock::Election) -> u16 {
/// // In the handler of a liveness probe. Standbys are well, and a leader that has lost its nodes stops by itself.
/// if election.health().is_ok() { 200 } else { 503 }
/// # }
/// ```
#[derive(Clone)]
#[must_use = "an election does nothing until somebody campaigns, or looks"]
pub struct Election {
    locks: Locks,
    /// A name that cannot be used is reported when it is needed.
    name: Result<LockName, InvalidName>,
    lock: Lock,
    ttl: Option<Duration>,
    stop_margin: Option<Duration>,
    grace: Option<Duration>,
    poll_interval: Duration,
    on_overrun: Option<OnOverrun>,
    candidate: Candidate,
    description: Description,
    eligibility: Eligibility,
    shared: Arc<Shared>,
}

impl Election {
    pub(crate) fn new(locks: &Locks, name: &[u8]) -> Self {
        let label = LockName::new(name).map_or_else(|_| String::new(), |name| name.to_string());
        let candidate = Candidate::new(locks);
        Self {
            locks: locks.clone(),
            name: LockName::new(name),
            // Who leads next is settled by the nodes, so that everybody can see it there.
            lock: locks.lock(name).handoff(0),
            ttl: None,
            stop_margin: None,
            grace: None,
            poll_interval: POLL_INTERVAL,
            on_overrun: None,
            candidate,
            description: Description::new(""),
            eligibility: Eligibility::new(),
            shared: Shared::new(ElectionMeters::new(&label)),
        }
        .description("")
    }

    /// How long a leader that has died keeps others from leading: as [`Lock::ttl`]. A leader that is cut off from the nodes must
    /// stop before it.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self.lock = self.lock.ttl(ttl);
        self
    }

    /// How much longer others are kept from leading when a leader has not resigned: as [`Lock::takeover_delay`]. None by default.
    pub fn takeover_delay(mut self, delay: Duration) -> Self {
        self.lock = self.lock.takeover_delay(delay);
        self
    }

    /// What people are shown of this candidate besides, when it leads and they look at who holds its lock: what it does, or for whom;
    /// in clear, and no more than 64 bytes of it. What programs are to be told is [proclaimed](Term::proclaim).
    pub fn description(mut self, text: impl AsRef<str>) -> Self {
        self.description = Description::new(text.as_ref());
        self.lock = self.lock.description(record::of_winner(&self.candidate, &self.description));
        self
    }

    /// The longest time that [`campaign`](Election::campaign) waits for the leadership; without limit by default. The time in which
    /// the candidate is not eligible does not count. [`run`](Election::run) goes on campaigning.
    pub fn wait_at_most(mut self, limit: Duration) -> Self {
        self.lock = self.lock.wait_at_most(limit);
        self
    }

    /// How long before the end of its validity a leader whose renewals are failing is told to stop: a quarter of the TTL by default.
    /// It is the time that the work has to come to its end.
    pub fn stop_margin(mut self, margin: Duration) -> Self {
        self.stop_margin = Some(margin);
        self
    }

    /// How long [`run`](Election::run) waits for the work to return once it was told to stop for any other reason than failing
    /// renewals, before it drops the work's future. Without limit by default: the leadership is renewed meanwhile.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// How often [`observe`](Election::observe) looks at the nodes, if none of them tells anything; about every half second by
    /// default, with jitter. A leader that has died is noticed by it, and a new value.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Calls `hook` when a leadership is lost and its [`Leadership`] is still there when the validity has ended, that is, when the work
    /// has not come to its end: not even by being dropped, as it happens where a worker thread is blocked. It is called on
    /// the library's own thread, once for a leadership, no matter how busy the program is; it must not block.
    pub fn on_overrun(mut self, hook: impl Fn(&Overrun) + Send + Sync + 'static) -> Self {
        self.on_overrun = Some(OnOverrun::new(hook));
        self
    }

    /// Aborts the process ([`std::process::abort`]) in the case of [`on_overrun`](Election::on_overrun): for work that must never go
    /// on beside that of the next leader, and that may block.
    pub fn abort_on_overrun(self) -> Self {
        self.on_overrun(|_| std::process::abort())
    }

    /// Who this is.
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// Whether this candidate may lead. One that may not waits in [`campaign`](Election::campaign) and [`run`](Election::run); if it
    /// leads, [`Term::stop_requested`] completes, and `run` steps down: it waits for the work to return, and resigns.
    pub fn set_eligible(&self, eligible: bool) {
        self.eligibility.set(if eligible { Standing::Eligible } else { Standing::Ineligible });
    }

    /// Whether this candidate may lead.
    pub fn is_eligible(&self) -> bool {
        self.eligibility.get() == Standing::Eligible
    }

    /// Takes this candidate out of the election for good, as a program does that is to end: as
    /// [`set_eligible(false)`](Election::set_eligible), and [`run`](Election::run) returns once it has stepped down.
    pub fn retire(&self) {
        self.eligibility.set(Standing::Retired);
    }

    /// Whether this process should be left alone; for a health probe. Reads the clock and asks nobody.
    ///
    /// It says nothing of the nodes: a program that restarts does not bring them back. See [`Health`].
    pub fn health(&self) -> Health {
        self.shared.health(self.locks.env().now())
    }

    /// Waits until this candidate leads: without limit, unless one was set.
    ///
    /// Never returns a leadership that has ended already: validity and eligibility are looked at again last.
    ///
    /// Cancel safe: a dropped future leaves nothing behind; what it may have won is resigned in the background.
    ///
    /// # Errors
    /// [`CampaignError::Acquire`] as [`Lock::acquire`], [`CampaignError::NoFencing`], and [`CampaignError::Retired`].
    pub async fn campaign(&self) -> Result<Leadership, CampaignError> {
        self.win(Announcement::First).await
    }

    /// As [`campaign`](Election::campaign), which announces itself first.
    async fn win(&self, announcement: Announcement) -> Result<Leadership, CampaignError> {
        loop {
            if !self.eligibility.until_eligible().await {
                return Err(CampaignError::Retired);
            }
            let guard = tokio::select! {
                biased;
                _ = self.eligibility.until_not_eligible() => continue,
                guard = self.lock.acquire() => guard,
            };
            let guard = guard.map_err(|error| self.failed(error))?;
            if let Some(leadership) = Box::pin(self.take_office(guard, announcement)).await? {
                return Ok(leadership);
            }
        }
    }

    /// Tries once, without waiting for anybody: `None` if somebody else leads, or this candidate is not eligible.
    ///
    /// Cancel safe, as [`campaign`](Election::campaign).
    ///
    /// # Errors
    /// As [`campaign`](Election::campaign), with [`Lock::try_acquire`].
    pub async fn try_campaign(&self) -> Result<Option<Leadership>, CampaignError> {
        match self.eligibility.get() {
            Standing::Retired => return Err(CampaignError::Retired),
            Standing::Ineligible => return Ok(None),
            Standing::Eligible => {}
        }
        match self.lock.try_acquire().await.map_err(|error| self.failed(error))? {
            Some(guard) => Box::pin(self.take_office(guard, Announcement::First)).await,
            None => Ok(None),
        }
    }

    /// Makes a leadership of a lock that was won, unless it is too late for it.
    async fn take_office(
        &self,
        guard: LockGuard,
        announcement: Announcement,
    ) -> Result<Option<Leadership>, CampaignError> {
        let held = guard.held();
        let Some(epoch) = guard.fencing_token() else {
            self.shared.meters.failed(CampaignFailure::Invalid);
            return Err(CampaignError::NoFencing);
        };
        let ttl = guard.ttl().get();
        let term = Term {
            held,
            epoch,
            candidate: self.candidate.clone(),
            description: self.description.clone(),
            eligibility: self.eligibility.clone(),
            stop_margin: self.stop_margin.unwrap_or(ttl / 4),
            shared: Arc::clone(&self.shared),
            revision: Arc::default(),
        };
        if announcement == Announcement::First {
            term.announce_win().await;
        }
        if self.locks.protections().campaign_recheck() && !guard.is_valid() {
            self.shared.meters.failed(CampaignFailure::Late);
            events::won_too_late(guard.name(), epoch);
            return Ok(None);
        }
        if !self.is_eligible() {
            return Ok(None);
        }
        self.shared.began(&term, self.locks.env(), self.on_overrun.clone());
        if announcement == Announcement::Meanwhile {
            let winner = term.clone();
            self.locks.env().spawn(Box::pin(async move { winner.announce_win().await }));
        }
        Ok(Some(Leadership::new(term, guard)))
    }

    fn failed(&self, error: AcquireError) -> CampaignError {
        self.shared.meters.failed(match error {
            AcquireError::Busy { .. } => CampaignFailure::Busy,
            AcquireError::Unavailable { .. } => CampaignFailure::Unavailable,
            _ => CampaignFailure::Invalid,
        });
        error.into()
    }
}

impl fmt::Debug for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Election")
            .field("candidate", &self.candidate)
            .field("eligible", &self.is_eligible())
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}
