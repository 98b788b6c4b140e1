//! One scheduler that renews every lock of a `Locks`, not a task a guard.
//!
//! It runs in the background of the driver, so that locks are renewed also while the caller's runtime is starved.
//!
//! What is due at about the same time is sent together, so that a node can take it together. Where more is due than can
//! be under way, what ends first comes first; and as long as nothing is urgent, little of it is under way, so that others'
//! requests do not wait behind it.

mod plan;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;

use crate::driver::Driver;
use crate::env::{SPLIT_MIX_STEP, jitter, split_mix};
use crate::error::{ExtendError, LostReason};
use crate::id::Instant;
use crate::lease::Lease;
pub(crate) use plan::Place;
use plan::{Grid, Plan, Times};

/// Tries again this soon after a failure, at the earliest.
const SHORTEST_RETRY: Duration = Duration::from_millis(5);
/// So many renewals are under way at the most, as long as none of those that wait has less than half of its TTL left.
const CALM: usize = 512;
/// So many at the most when one has: enough for 40,000 a second over a network with a round trip of 100 ms, and half of what
/// a backend lets wait for one node.
const URGENT: usize = 4_096;
/// So many are begun, or ended, before others on the I/O thread have their turn.
const TURN: usize = 128;

/// The locks to renew, by the time of their next renewal.
#[derive(Debug)]
pub(crate) struct Renewal {
    schedule: Mutex<Schedule>,
    /// The plan has an earlier renewal than before, or is closed.
    wake: Notify,
    /// There is nothing left to renew.
    emptied: Notify,
}

#[derive(Debug)]
struct Schedule {
    plan: Plan<Arc<Lease>>,
    grid: Grid,
    spread: Spread,
    /// When the scheduler will look next.
    armed: Option<Instant>,
    /// Leases run out from now on.
    frozen: bool,
    closed: bool,
}

/// What the scheduler finds to do.
struct Look {
    begin: Vec<(Place, Arc<Lease>)>,
    /// More could be begun at once.
    more: bool,
    next: Option<Instant>,
    frozen: bool,
    closed: bool,
}

/// What came of one renewal.
enum After {
    /// Renewed: again at about a third of the TTL.
    Renewed,
    /// Not renewed: again soon, and as long as it is not lost.
    Failed,
    /// To be looked at again then.
    At(Instant),
    /// Nothing more to renew.
    Ended,
}

impl Renewal {
    /// Starts the scheduler; it ends with [`Renewal::close`].
    pub(crate) fn start(driver: &Arc<Driver>) -> Arc<Self> {
        let random = jitter(&*driver.env);
        let schedule = Schedule {
            plan: Plan::default(),
            grid: Grid::new(random),
            spread: Spread(random),
            armed: None,
            frozen: false,
            closed: false,
        };
        let renewal =
            Arc::new(Self { schedule: Mutex::new(schedule), wake: Notify::new(), emptied: Notify::new() });
        driver.spawn_service(Arc::clone(&renewal).run(Arc::clone(driver)));
        renewal
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews `lease` from now on, until it is removed or has ended.
    pub(crate) fn add(&self, lease: &Arc<Lease>) -> Place {
        let left = Left::of(lease);
        let mut schedule = self.schedule();
        let times = left.until(schedule.after_success(left));
        let place = schedule.plan.add(Arc::clone(lease), times);
        self.arm(&mut schedule, times.due);
        place
    }

    pub(crate) fn remove(&self, place: Place) {
        self.forget(&mut self.schedule(), place);
    }

    fn forget(&self, schedule: &mut Schedule, place: Place) {
        schedule.plan.remove(place);
        if schedule.plan.len() == 0 {
            self.emptied.notify_waiters();
        }
    }

    /// Waits until there is nothing to renew.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Renews nothing more; every lease is watched until it runs out.
    pub(crate) fn freeze(&self) {
        self.schedule().frozen = true;
    }

    /// Ends every lease as lost.
    pub(crate) fn lose_all(&self, reason: LostReason) {
        let leases: Vec<_> = self.schedule().plan.iter().map(Arc::clone).collect();
        leases.iter().for_each(|lease| lease.lose(reason));
    }

    /// How many locks are renewed now.
    pub(crate) fn len(&self) -> usize {
        self.schedule().plan.len()
    }

    /// Ends the scheduler.
    pub(crate) fn close(&self) {
        self.schedule().closed = true;
        self.wake.notify_one();
    }

    /// Wakes the scheduler unless it looks by then anyway.
    fn arm(&self, schedule: &mut Schedule, due: Instant) {
        if schedule.armed.is_none_or(|armed| due < armed) {
            schedule.armed = Some(due);
            self.wake.notify_one();
        }
    }

    /// What is to be begun now, with so many under way.
    fn look(&self, now: Instant, under_way: usize) -> Look {
        let mut schedule = self.schedule();
        let schedule = &mut *schedule;
        let plan = &mut schedule.plan;
        plan.fall_due(now);
        let mut begin = Vec::new();
        while begin.len() < TURN {
            let busy = under_way + begin.len();
            let waits = |urgent: bool| busy >= if urgent { URGENT } else { CALM };
            let Some((place, lease)) = plan.take_due(now, waits) else { break };
            begin.push((place, Arc::clone(lease)));
        }
        let more = begin.len() == TURN && plan.has_backlog();
        schedule.armed = plan.next_time();
        Look { begin, more, next: schedule.armed, frozen: schedule.frozen, closed: schedule.closed }
    }

    async fn run(self: Arc<Self>, driver: Arc<Driver>) {
        let mut rounds = FuturesUnordered::new();
        let mut ended = Vec::with_capacity(TURN);
        let mut alarm = None;
        loop {
            let Look { begin, more, next, frozen, closed } = self.look(driver.env.now(), rounds.len());
            if closed {
                return;
            }
            rounds.extend(
                begin
                    .into_iter()
                    .map(|(place, lease)| async move { (place, renew(&lease, frozen).await, lease) }),
            );
            // Kept as long as it is set to the same time: most turns only end what was begun.
            if alarm.as_ref().map(|&(at, _)| at) != next {
                alarm = next.map(|at| (at, driver.env.sleep_until(at)));
            }
            let woken = self.wake.notified();
            tokio::pin!(woken);
            let mut gave_way = !more;
            poll_fn(|context| {
                while ended.len() < TURN
                    && let Poll::Ready(Some(round)) = rounds.poll_next_unpin(context)
                {
                    ended.push(round);
                }
                let rung = alarm.as_mut().is_some_and(|(_, alarm)| alarm.as_mut().poll(context).is_ready());
                if rung {
                    alarm = None;
                }
                if !ended.is_empty() || rung || woken.as_mut().poll(context).is_ready() || (more && gave_way)
                {
                    return Poll::Ready(());
                }
                if !gave_way {
                    gave_way = true;
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            })
            .await;
            self.finish(&mut ended);
        }
    }

    /// Plans the next renewal of each, unless its guard has gone or it has ended meanwhile.
    fn finish(&self, ended: &mut Vec<(Place, After, Arc<Lease>)>) {
        if ended.is_empty() {
            return;
        }
        // Asked before the plan is locked: never two locks at a time.
        let left: Vec<_> = ended.iter().map(|(_, _, lease)| Left::of(lease)).collect();
        let mut schedule = self.schedule();
        for ((place, after, _), left) in ended.iter().zip(left) {
            let due = match after {
                After::Renewed => schedule.after_success(left),
                After::Failed => schedule.after_failure(left),
                After::At(at) => *at,
                After::Ended => {
                    self.forget(&mut schedule, *place);
                    continue;
                }
            };
            if schedule.plan.schedule(*place, left.until(due)) {
                self.arm(&mut schedule, due);
            }
        }
        drop(schedule);
        ended.clear();
    }
}

impl Schedule {
    /// At a third of the TTL, less up to a sixth of that, so that locks taken together are not renewed together.
    fn after_success(&mut self, Left { now, ttl, .. }: Left) -> Instant {
        self.grid.before(now.saturating_add(self.spread.jittered(ttl / 3)), ttl)
    }

    fn after_failure(&mut self, Left { now, end, ttl }: Left) -> Instant {
        let pause = self.spread.jittered((ttl / 12).max(SHORTEST_RETRY));
        now.saturating_add(pause.min(end.saturating_since(now)))
    }
}

/// What a lease has left, asked before the plan is locked.
#[derive(Clone, Copy)]
struct Left {
    now: Instant,
    end: Instant,
    ttl: Duration,
}

impl Left {
    fn of(lease: &Lease) -> Self {
        Self { now: lease.now(), end: lease.lost_at(), ttl: lease.ttl().get() }
    }

    /// It is renewed next at `due`, and that is urgent from half of its TTL on.
    fn until(self, due: Instant) -> Times {
        Times { due, urgent: self.end.saturating_sub(self.ttl / 2), end: self.end }
    }
}

/// Random numbers to spread renewals with: SplitMix64, begun with a number of the environment's. One of these for every
/// renewal would be a system call each.
#[derive(Debug)]
struct Spread(u64);

impl Spread {
    fn next(&mut self) -> u64 {
        let number = split_mix(self.0);
        self.0 = self.0.wrapping_add(SPLIT_MIX_STEP);
        number
    }

    /// `pause`, less up to a sixth of it.
    fn jittered(&mut self, pause: Duration) -> Duration {
        let sixth = u64::try_from((pause / 6).as_nanos()).unwrap_or(u64::MAX);
        pause.saturating_sub(Duration::from_nanos(self.next() % sixth.max(1)))
    }
}

/// Renews a lock once, or ends it.
async fn renew(lease: &Lease, frozen: bool) -> After {
    if lease.lose_if_expired() {
        return After::Ended;
    }
    if frozen || lease.is_past_renew_limit() {
        return After::At(lease.lost_at());
    }
    match lease.extend().await {
        Ok(_) => After::Renewed,
        Err(ExtendError::Failed { .. }) => After::Failed,
        Err(_) => {
            lease.lose_if_expired();
            After::Ended
        }
    }
}
