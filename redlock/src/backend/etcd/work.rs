//! The operations on a name. Each runs on the library's executor, behind the earlier ones about that name.
//!
//! # Why the caller's validity lies inside the lease
//! A lease is asked for after the request came, and etcd lets it end, by a vote of the members, no sooner than its TTL
//! after that vote granted it; a new leader prolongs it. The key is put on it in a transaction that fails when the lease
//! has ended. So what is granted here lasts at least for the TTL from before the request was sent, whatever becomes of the leader, unless
//! somebody revokes the lease. We do that only with leases on which no lock can be that somebody was told of. No
//! keep-alive is used: a leader that was replaced without knowing answers one as if it still counted.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join;

use super::core::{Core, Fresh, Job};
use super::failure::{Answer, Failure};
use super::keys::Keys;
use super::leases::Lease;
use super::txn::{self, Change, Changed, Count, Counter, Created, Least, Seen};
use crate::id::{FencingToken, Instant, LockName};
use crate::node::fence::{keep_for, next_counter};
use crate::node::{
    AcquireRequest, Description, Effect, ExtendRequest, Fence, Grant, Inspection, NodeErrorKind, OwnerId,
    Raise, RaiseRequest, Refusal, RefusalReason, ReleaseRequest, Released, Reply,
};

/// How often a step is begun anew because something has changed meanwhile.
const TRIES: usize = 4;

impl Core {
    fn job(&self, name: LockName, owner: crate::id::OwnerToken, until: Instant) -> Job {
        let keys = Keys::of(&self.prefix, &name);
        Job { name, owner, keys, until }
    }

    pub(super) async fn acquire(
        self: Arc<Self>,
        request: AcquireRequest,
        until: Instant,
    ) -> Result<Reply, Failure> {
        let AcquireRequest { name, owner, ttl, deadline, fence, description } = request;
        let job = self.job(name, owner, until);
        if self.is_late(deadline) {
            return Ok(refused(RefusalReason::Stale));
        }
        if self.is_wary(&job.name)
            && let Some(lock) = self.look(&job.keys, until).await?.lock
            && !lock.is_of(&owner)
        {
            return Ok(self.held(&job.name, &lock, until).await);
        }
        let mut known = 0;
        let mut fresh: Option<Fresh> = None;
        for _ in 0..TRIES {
            let Ok(next) = fence.map(|fence| self.next(known, &fence).ok_or(())).transpose() else {
                return Ok(refused(RefusalReason::Exhausted));
            };
            let (made, count) = try_join(
                self.grant_once(fresh.take(), &job, ttl.get()),
                self.count(next, fence, ttl.get(), until),
            )
            .await?;
            let id = made.lease.id;
            let answer =
                self.txn(txn::create(&job.keys, &owner, id, count, description.as_ref()), until).await;
            match answer.and_then(|answer| txn::created(&answer)) {
                Ok(Created::Done) => return self.have(&job, made, count.map(|count| count.next)),
                Ok(Created::TooHigh(counter)) => {
                    known = counter;
                    fresh = Some(made);
                }
                Ok(Created::Taken(Seen { lock: Some(lock), counter, .. })) if lock.is_of(&owner) => {
                    if lock.lease == id {
                        let counter = counter.map(|counter| counter.value).filter(|_| count.is_some());
                        return self.have(&job, made, counter);
                    }
                    // Granted before: the new lease is for the next step to make, as long as it is needed.
                    drop(made);
                    return self.acquire_again(&job, ttl.get(), deadline, fence, counter, description).await;
                }
                Ok(Created::Taken(Seen { lock, .. })) => {
                    drop(made);
                    return match lock {
                        Some(lock) => Ok(self.held(&job.name, &lock, until).await),
                        None => Err(Failure::nonsense("a lock is taken and not there")),
                    };
                }
                Err(failure) => return Err(self.txn_failed(failure)),
            }
        }
        Err(too_often())
    }

    /// The lock is on this lease.
    fn have(self: &Arc<Self>, job: &Job, mut fresh: Fresh, counter: Option<u64>) -> Result<Reply, Failure> {
        if self.env.now() >= fresh.lease.ends {
            // The lease may have ended by now; what is left of it is revoked.
            let detail = "the lease may have ended before the answer came";
            return Err(Failure { effect: Effect::Unknown, ..Failure::new(NodeErrorKind::Timeout, detail) });
        }
        fresh.keep = true;
        let before = self.leases.attached(&job.name, &job.owner, fresh.lease);
        // Only now: until the key was on the new lease, these held it.
        self.revoke_later(&job.name, &job.owner, before);
        self.be_bold(&job.name);
        Ok(Reply::Granted(counter.map_or_else(Grant::default, Grant::with_counter)))
    }

    /// The owner has the lock already: it gets the time that it asks for, and its counter stays.
    async fn acquire_again(
        self: &Arc<Self>,
        job: &Job,
        ttl: Duration,
        deadline: Instant,
        fence: Option<Fence>,
        counter: Option<Counter>,
        said: Option<Description>,
    ) -> Result<Reply, Failure> {
        let raise = match (fence, counter) {
            (None, _) => None,
            (Some(fence), Some(counter)) if self.protections.fence_once() => {
                Some(Raise::new(counter.value, fence.retention))
            }
            // A counter that was lost under its lock is begun anew.
            (Some(fence), counter) => match self.next(counter.map_or(0, |counter| counter.value), &fence) {
                Some(next) => Some(Raise::new(next, fence.retention)),
                None => return Ok(refused(RefusalReason::Exhausted)),
            },
        };
        self.prolong(job, ttl, deadline, raise, false, said).await
    }

    pub(super) async fn extend(
        self: Arc<Self>,
        request: ExtendRequest,
        until: Instant,
    ) -> Result<Reply, Failure> {
        let ExtendRequest { name, owner, ttl, deadline, fence, restore, description } = request;
        let job = self.job(name, owner, until);
        self.prolong(&job, ttl.get(), deadline, fence, restore, description).await
    }

    /// Puts the owner's lock on a new lease that ends no sooner than the one it is on.
    async fn prolong(
        self: &Arc<Self>,
        job: &Job,
        ttl: Duration,
        deadline: Instant,
        raise: Option<Raise>,
        restore: bool,
        said: Option<Description>,
    ) -> Result<Reply, Failure> {
        let Job { name, owner, keys, until } = job;
        for _ in 0..TRIES {
            if self.is_late(deadline) {
                return Ok(refused(RefusalReason::Stale));
            }
            let from = match self.leases.current(name, owner) {
                Some(lease) => Some(lease),
                None => match self.find(job).await? {
                    Found::Ours(lease) => Some(lease),
                    Found::Nothing if restore => None,
                    Found::Nothing => return Ok(self.lost(job, refused(RefusalReason::Missing))),
                    Found::Refused(reply) => return Ok(self.lost(job, reply)),
                },
            };
            let left = from.map_or(Duration::ZERO, |lease| lease.ends.saturating_since(self.env.now()));
            let least = if self.protections.never_shorten() { ttl.max(left) } else { ttl };
            // What is not said anew moves on with the lock.
            let said = match (&said, from) {
                (None, Some(from)) => self.said_on(job, from.id).await?,
                (said, _) => said.clone(),
            };
            let (mut fresh, raised) =
                try_join(self.grant(job, least), self.least(raise, ttl, *until)).await?;
            let to = fresh.lease.id;
            let change = from.map_or(Change::Create { to }, |from| Change::Attach { from: from.id, to });
            let check_owner = self.protections.extend_owner_check();
            // From here on the lock may come to be on the new lease, while its owner counts on the old one's end: it
            // is revoked only when that can no longer happen.
            fresh.keep = true;
            let answer =
                self.txn(txn::change(keys, owner, change, raised, said.as_ref(), check_owner), *until).await;
            match answer.and_then(|answer| txn::changed(&answer, raised)) {
                Ok(Changed::Done(counter)) => {
                    let counter = self.settle_counter(job, counter, raise, ttl).await?;
                    return self.have(job, fresh, counter);
                }
                Ok(Changed::Not(Some(lock))) if lock.is_of(owner) && lock.lease == to => {
                    let counter = self.look(keys, *until).await?.counter;
                    return self.have(
                        job,
                        fresh,
                        counter.map(|counter| counter.value).filter(|_| raise.is_some()),
                    );
                }
                Ok(Changed::Not(lock)) => {
                    fresh.keep = false;
                    // Looked for anew.
                    self.leases.doubt(name, owner);
                    match lock {
                        Some(lock) if !lock.is_of(owner) => {
                            let reply = self.held(name, &lock, *until).await;
                            return Ok(self.lost(job, reply));
                        }
                        None if !restore => return Ok(self.lost(job, refused(RefusalReason::Missing))),
                        _ => {}
                    }
                }
                Err(failure) => {
                    fresh.keep = failure.effect != Effect::None;
                    return Err(self.txn_failed(failure));
                }
            }
        }
        Err(too_often())
    }

    /// The owner does not have the lock: what is left of its leases holds nothing that it was told of.
    fn lost(self: &Arc<Self>, job: &Job, reply: Reply) -> Reply {
        let leases = self.leases.released(&job.name, &job.owner);
        self.revoke_later(&job.name, &job.owner, leases);
        reply
    }

    /// Looks for the owner's lock.
    async fn find(&self, job: &Job) -> Result<Found, Failure> {
        let Some(lock) = self.look(&job.keys, job.until).await?.lock else { return Ok(Found::Nothing) };
        if !lock.is_of(&job.owner) && self.protections.extend_owner_check() {
            return Ok(Found::Refused(self.held(&job.name, &lock, job.until).await));
        }
        // It may tell too much or too little: a leader that was replaced does not know. Nothing but the new lease's length
        // depends on it. Whole seconds, rounded down.
        let left = self.remaining(lock.lease, job.until).await.unwrap_or_default();
        let now = self.env.now();
        let ends = now.saturating_add(left).saturating_add(Duration::from_secs(1));
        let lease = Lease { id: lock.lease, ends };
        if lock.is_of(&job.owner) && lock.lease != 0 {
            self.leases.found(&job.name, &job.owner, lease, now);
        }
        Ok(Found::Ours(lease))
    }

    pub(super) async fn raise(
        self: Arc<Self>,
        request: RaiseRequest,
        until: Instant,
    ) -> Result<Reply, Failure> {
        let RaiseRequest { name, owner, ttl, deadline, fence } = request;
        let job = self.job(name, owner, until);
        if self.is_late(deadline) {
            return Ok(refused(RefusalReason::Stale));
        }
        let least = self.least(Some(fence), ttl.get(), until).await?;
        let answer = self.txn(txn::change(&job.keys, &owner, Change::None, least, None, true), until).await;
        match answer
            .and_then(|answer| txn::changed(&answer, least))
            .map_err(|failure| self.txn_failed(failure))?
        {
            Changed::Done(counter) => {
                let counter = self.settle_counter(&job, counter, Some(fence), ttl.get()).await?;
                Ok(Reply::Granted(counter.map_or_else(Grant::default, Grant::with_counter)))
            }
            Changed::Not(None) => Ok(refused(RefusalReason::Missing)),
            Changed::Not(Some(lock)) => Ok(self.held(&job.name, &lock, until).await),
        }
    }

    pub(super) async fn release(
        self: Arc<Self>,
        request: ReleaseRequest,
        until: Instant,
    ) -> Result<Released, Failure> {
        let ReleaseRequest { name, owner, unsettled } = request;
        let keys = Keys::of(&self.prefix, &name);
        let check_owner = self.protections.release_owner_check();
        let held_until = self.leases.current(&name, &owner).map(|lease| lease.ends);
        let (answer, asked) = self.txn_counted(txn::delete(&keys, &owner, check_owner), until).await?;
        let gone = txn::deleted(&answer);
        // Another copy may have deleted it: the lease cannot have ended, so that the owner had the lock.
        let by_another_copy = asked > 1 && held_until.is_some_and(|ends| self.env.now() < ends);
        let was_held = gone.is_some() || by_another_copy;
        let mut leases = self.leases.released(&name, &owner);
        leases.extend(gone.filter(|lease| *lease != 0 && !leases.contains(lease)));
        if unsettled.is_none() {
            self.revoke_later(&name, &owner, leases);
            return Ok(Released::new(was_held, true));
        }
        // A transaction that was never answered can take effect until its lease is gone. One whose lease was never
        // granted was never sent.
        let mut settled = true;
        for lease in leases {
            settled &= self.revoke(&name, &owner, lease, until).await.is_ok();
        }
        Ok(Released::new(was_held, settled))
    }

    pub(super) async fn inspect(
        self: Arc<Self>,
        name: LockName,
        until: Instant,
    ) -> Result<Inspection, Failure> {
        let keys = Keys::of(&self.prefix, &name);
        let answer = self.txn(txn::inspect(&keys), until).await.map_err(Failure::harmless)?;
        let (lock, counter, said) = txn::inspected(&answer)?;
        let remaining = match lock.as_ref().map(|lock| lock.lease) {
            None | Some(0) => None,
            Some(lease) => self.remaining(lease, until).await,
        };
        let look =
            Inspection::new(lock.is_some(), remaining).with_counter(counter.map(|counter| counter.value));
        Ok(match lock {
            Some(lock) => look.of_owner(OwnerId::of_stored(&lock.owner), said),
            None => look,
        })
    }

    /// What the owner of the lock on this lease says of itself.
    async fn said_on(&self, job: &Job, lease: i64) -> Result<Option<Description>, Failure> {
        let answer = self.txn(txn::ask(&job.keys), job.until).await.map_err(Failure::harmless)?;
        txn::asked(&answer, lease)
    }

    /// The lease that was made before, if it was.
    async fn grant_once(
        self: &Arc<Self>,
        made: Option<Fresh>,
        job: &Job,
        ttl: Duration,
    ) -> Result<Fresh, Failure> {
        match made {
            Some(made) => Ok(made),
            None => self.grant(job, ttl).await,
        }
    }

    /// Where a counter at `known` goes.
    fn next(&self, known: u64, fence: &Fence) -> Option<u64> {
        next_counter(known, fence, self.env.wall_micros(), &self.protections)
    }

    async fn count(
        self: &Arc<Self>,
        next: Option<u64>,
        fence: Option<Fence>,
        ttl: Duration,
        until: Instant,
    ) -> Result<Option<Count>, Failure> {
        let (Some(next), Some(fence)) = (next, fence) else { return Ok(None) };
        let keep = keep_for(next, self.env.wall_micros(), ttl, fence.retention);
        let lease = self.counter_lease(keep, until).await?;
        Ok(Some(Count { next, most: next.saturating_sub(fence.span.max(1)), lease }))
    }

    async fn least(
        self: &Arc<Self>,
        raise: Option<Raise>,
        ttl: Duration,
        until: Instant,
    ) -> Result<Option<Least>, Failure> {
        let Some(raise) = raise else { return Ok(None) };
        let to = raise.to.clamp(1, FencingToken::MAX);
        let keep = keep_for(to, self.env.wall_micros(), ttl, raise.retention);
        Ok(Some(Least { to, lease: self.counter_lease(keep, until).await? }))
    }

    /// Has a counter that stands higher than was asked for be kept for long enough too.
    async fn settle_counter(
        self: &Arc<Self>,
        job: &Job,
        counter: Option<Result<u64, Counter>>,
        raise: Option<Raise>,
        ttl: Duration,
    ) -> Result<Option<u64>, Failure> {
        let (Some(counter), Some(raise)) = (counter, raise) else { return Ok(None) };
        let counter = match counter {
            Ok(value) => return Ok(Some(value)),
            Err(higher) => higher,
        };
        let keep = keep_for(counter.value, self.env.wall_micros(), ttl, raise.retention);
        let lease = self.counter_lease(keep, job.until).await?;
        if lease != counter.lease {
            let least = Least { to: counter.value, lease };
            self.txn(txn::keep(&job.keys, least), job.until).await?;
        }
        Ok(Some(counter.value))
    }

    fn txn_failed(&self, failure: Failure) -> Failure {
        if failure.answer == Some(Answer::LeaseNotFound) {
            // That of the lock, or the one that the counters share.
            self.forget_counter_lease();
            let detail = "the lease has ended before it was used; the lock was not taken";
            return Failure { effect: failure.effect, ..Failure::new(NodeErrorKind::NotReady, detail) };
        }
        failure
    }
}

enum Found {
    Ours(Lease),
    Nothing,
    Refused(Reply),
}

fn refused(reason: RefusalReason) -> Reply {
    Reply::Refused(Refusal::new(reason, None))
}

fn too_often() -> Failure {
    Failure::new(NodeErrorKind::NotReady, "the lock and its counter change too often; try again")
}
