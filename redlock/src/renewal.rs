//! One scheduler that renews every lock of a `Locks`, not a task a guard.
//!
//! It runs in the background of the driver, so that locks are renewed also while the caller's runtime is starved.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;

use crate::driver::Driver;
use crate::env::jitter;
use crate::error::{ExtendError, LostReason};
use crate::id::Instant;
use crate::lease::Lease;

/// Tries again this soon after a failure, at the earliest.
const SHORTEST_RETRY: Duration = Duration::from_millis(5);

/// The locks to renew, by the time of their next renewal.
#[derive(Debug, Default)]
pub(crate) struct Renewal {
    plan: Mutex<Plan>,
    /// The plan has an earlier renewal than before, or is closed.
    wake: Notify,
    /// There is nothing left to renew.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Plan {
    leases: HashMap<u64, (Instant, Arc<Lease>)>,
    order: BTreeSet<(Instant, u64)>,
    next_id: u64,
    /// When the scheduler will look next.
    armed: Option<Instant>,
    /// Leases run out from now on.
    frozen: bool,
    closed: bool,
}

/// What the scheduler finds to do.
struct Look {
    due: Vec<(u64, Arc<Lease>)>,
    next: Option<Instant>,
    frozen: bool,
    closed: bool,
}

impl Renewal {
    /// Starts the scheduler; it ends with [`Renewal::close`].
    pub(crate) fn start(driver: &Arc<Driver>) -> Arc<Self> {
        let renewal = Arc::new(Self::default());
        driver.spawn_service(Arc::clone(&renewal).run(Arc::clone(driver)));
        renewal
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews `lease` from now on, until it is removed or has ended.
    pub(crate) fn add(&self, driver: &Driver, lease: &Arc<Lease>) -> u64 {
        let due = after_success(driver, lease);
        let mut plan = self.plan();
        let id = plan.next_id;
        plan.next_id += 1;
        self.schedule(&mut plan, id, due, Arc::clone(lease));
        id
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut plan = self.plan();
        self.forget(&mut plan, id);
    }

    fn forget(&self, plan: &mut Plan, id: u64) {
        if let Some((due, _)) = plan.leases.remove(&id) {
            plan.order.remove(&(due, id));
        }
        if plan.leases.is_empty() {
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
        self.plan().frozen = true;
    }

    /// Ends every lease as lost.
    pub(crate) fn lose_all(&self, reason: LostReason) {
        let leases: Vec<_> = self.plan().leases.values().map(|(_, lease)| Arc::clone(lease)).collect();
        leases.iter().for_each(|lease| lease.lose(reason));
    }

    /// How many locks are renewed now.
    pub(crate) fn len(&self) -> usize {
        self.plan().leases.len()
    }

    /// Ends the scheduler.
    pub(crate) fn close(&self) {
        self.plan().closed = true;
        self.wake.notify_one();
    }

    fn schedule(&self, plan: &mut Plan, id: u64, due: Instant, lease: Arc<Lease>) {
        if let Some((old, _)) = plan.leases.insert(id, (due, lease)) {
            plan.order.remove(&(old, id));
        }
        plan.order.insert((due, id));
        if plan.armed.is_none_or(|armed| due < armed) {
            plan.armed = Some(due);
            self.wake.notify_one();
        }
    }

    fn look(&self, now: Instant) -> Look {
        let mut plan = self.plan();
        let mut due = Vec::new();
        while let Some(&(at, id)) = plan.order.first().filter(|(at, _)| *at <= now) {
            plan.order.remove(&(at, id));
            if let Some((_, lease)) = plan.leases.get(&id) {
                due.push((id, Arc::clone(lease)));
            }
        }
        plan.armed = plan.order.first().map(|&(at, _)| at);
        Look { due, next: plan.armed, frozen: plan.frozen, closed: plan.closed }
    }

    async fn run(self: Arc<Self>, driver: Arc<Driver>) {
        let mut rounds = FuturesUnordered::new();
        loop {
            let Look { due, next, frozen, closed } = self.look(driver.env.now());
            if closed {
                return;
            }
            for (id, lease) in due {
                let driver = &driver;
                rounds.push(async move { (id, renew(driver, &lease, frozen).await, lease) });
            }
            let pause = async {
                match next {
                    Some(at) => driver.env.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some((id, again, lease)) = rounds.next() => self.finish(id, again, lease),
                () = self.wake.notified() => {}
                () = pause => {}
            }
        }
    }

    /// Plans the next renewal of a lock, unless its guard has gone or it has ended meanwhile.
    fn finish(&self, id: u64, again: Option<Instant>, lease: Arc<Lease>) {
        let mut plan = self.plan();
        if !plan.leases.contains_key(&id) {
            return;
        }
        match again {
            Some(due) => self.schedule(&mut plan, id, due, lease),
            None => self.forget(&mut plan, id),
        }
    }
}

/// Renews a lock once, or ends it; says when to look again.
async fn renew(driver: &Driver, lease: &Lease, frozen: bool) -> Option<Instant> {
    if lease.lose_if_expired() {
        return None;
    }
    if frozen || lease.is_past_renew_limit() {
        return Some(lease.lost_at());
    }
    match lease.extend().await {
        Ok(_) => Some(after_success(driver, lease)),
        Err(ExtendError::Failed { .. }) => {
            let retry = lease.ttl().get() / 12;
            let left = lease.lost_at().saturating_since(lease.now());
            let pause = jittered(driver, retry.max(SHORTEST_RETRY)).min(left);
            Some(lease.now().saturating_add(pause))
        }
        Err(_) => {
            lease.lose_if_expired();
            None
        }
    }
}

/// At a third of the TTL, less up to a sixth of that, so that locks taken together are not renewed together.
fn after_success(driver: &Driver, lease: &Lease) -> Instant {
    lease.now().saturating_add(jittered(driver, lease.ttl().get() / 3))
}

/// `pause`, less up to a sixth of it.
fn jittered(driver: &Driver, pause: Duration) -> Duration {
    let sixth = u64::try_from((pause / 6).as_nanos()).unwrap_or(u64::MAX);
    pause.saturating_sub(Duration::from_nanos(jitter(&*driver.env) % sixth.max(1)))
}
