//! What all requests share: the ensemble, our leases, and the steps that they are made of.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, Error, LeaseGrantOptions, Txn, TxnResponse};
use futures::future::{Either, select};

use super::ensemble::Ensemble;
use super::failure::{Answer, Failure};
use super::keys::Keys;
use super::leases::{Lease, Leases};
use super::txn::{self, Lock, Seen};
use crate::env::Env;
use crate::id::{Instant, LockName, OwnerToken};
use crate::node::{Effect, OwnerId, Refusal, RefusalReason, Reply};
use crate::protections::Protections;

/// How long one attempt to revoke a lease may take, and the pauses before the attempts, in milliseconds.
const REVOKE_LIMIT: Duration = Duration::from_secs(2);
const REVOKE_PAUSES: [u64; 7] = [0, 250, 1_000, 3_000, 5_000, 10_000, 10_000];
/// The pauses before the attempts to revoke what may not have been granted, in milliseconds.
const STRAY_PAUSES: [u64; 3] = [1_000, 9_000, 20_000];
/// A shared lease is used for other counters for this long.
const COUNTERS_SHARE_FOR: Duration = Duration::from_secs(60);
/// Set in the ids of the leases that keep counters, and in no other: so operators can tell them.
const COUNTERS_BIT: i64 = 1 << 62;
/// The names that were found held are remembered up to this number.
const MOST_WARY: usize = 1_024;

/// The ensemble, and what this process knows of its own leases there.
pub(super) struct Core {
    pub(super) env: Arc<dyn Env>,
    pub(super) ensemble: Ensemble,
    pub(super) prefix: String,
    pub(super) protections: Protections,
    pub(super) leases: Leases,
    /// Keeps the counters that were counted lately.
    counters: Mutex<Option<Lease>>,
    granting: tokio::sync::Mutex<()>,
    /// Names that were held when they were asked for last: they are looked at before a lease is made in vain.
    wary: Mutex<HashSet<LockName>>,
}

/// On whose behalf something is asked, and until when.
pub(super) struct Job {
    pub(super) name: LockName,
    pub(super) owner: OwnerToken,
    pub(super) keys: Keys,
    /// It is given up then.
    pub(super) until: Instant,
}

/// A lease that was made for a request: revoked when that fails, or is given up.
pub(super) struct Fresh {
    core: Arc<Core>,
    name: LockName,
    owner: OwnerToken,
    pub(super) lease: Lease,
    /// A lock may be on it that must not be lost.
    pub(super) keep: bool,
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.keep {
            self.core.revoke_later(&self.name, &self.owner, vec![self.lease.id]);
        }
    }
}

/// The ids that the copies of one request have asked for. Those that are left in the end are revoked.
struct Copies {
    core: Arc<Core>,
    ids: Mutex<Vec<i64>>,
}

impl Copies {
    fn ids(&self) -> MutexGuard<'_, Vec<i64>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new id. So many random bits never meet those of somebody else.
    fn draw(&self, bits: i64) -> Result<i64, Error> {
        let mut bytes = [0; 8];
        self.core.env.fill_random(&mut bytes).map_err(|error| Error::Internal(error.to_string()))?;
        // 0 would let etcd choose one.
        let id = (i64::from_be_bytes(bytes) & (COUNTERS_BIT - 1)).max(1) | bits;
        self.ids().push(id);
        Ok(id)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *self.ids());
        self.core.revoke_strays(left);
    }
}

impl Core {
    pub(super) fn new(
        ensemble: Ensemble,
        prefix: String,
        protections: Protections,
        env: Arc<dyn Env>,
    ) -> Arc<Self> {
        let (leases, counters, wary) = (Leases::default(), Mutex::default(), Mutex::default());
        let granting = tokio::sync::Mutex::default();
        Arc::new(Self { env, ensemble, prefix, protections, leases, counters, granting, wary })
    }

    pub(super) fn is_late(&self, deadline: Instant) -> bool {
        self.protections.stale_deadline() && self.env.now() > deadline
    }

    /// Runs a transaction. It may be carried out twice.
    pub(super) async fn txn(&self, txn: Txn, until: Instant) -> Result<TxnResponse, Failure> {
        self.txn_counted(txn, until).await.map(|(answer, _)| answer)
    }

    /// Runs a transaction, and says of how many members it was asked.
    pub(super) async fn txn_counted(
        &self,
        txn: Txn,
        until: Instant,
    ) -> Result<(TxnResponse, usize), Failure> {
        self.ensemble
            .call_counted(until, |client| {
                let txn = txn.clone();
                async move { client.kv_client().txn(txn).await }
            })
            .await
    }

    /// Reads a name.
    pub(super) async fn look(&self, keys: &Keys, until: Instant) -> Result<Seen, Failure> {
        txn::seen(&self.txn(txn::look(keys), until).await.map_err(Failure::harmless)?)
    }

    /// Makes a lease for a request; its time counts from before it is asked for.
    pub(super) async fn grant(self: &Arc<Self>, job: &Job, ttl: Duration) -> Result<Fresh, Failure> {
        let now = self.env.now();
        let seconds = whole_seconds(ttl);
        let id = self.grant_lease(seconds, 0, job.until).await?;
        let lease = Lease { id, ends: now.saturating_add(Duration::from_secs(seconds)) };
        self.leases.begun(&job.name, &job.owner, lease, now);
        let (core, name, owner) = (Arc::clone(self), job.name.clone(), job.owner);
        Ok(Fresh { core, name, owner, lease, keep: false })
    }

    /// Makes a lease, in whose id these bits are set. Every copy of the request asks for an id of its own: an id that was
    /// answered is never granted again, so that nothing comes to be on it once it was revoked.
    async fn grant_lease(self: &Arc<Self>, seconds: u64, bits: i64, until: Instant) -> Result<i64, Failure> {
        let ttl = i64::try_from(seconds).unwrap_or(i64::MAX);
        let copies = Copies { core: Arc::clone(self), ids: Mutex::default() };
        let request = |client: Client| {
            let id = copies.draw(bits);
            async move {
                let options = LeaseGrantOptions::new().with_id(id?);
                client.lease_client().grant(ttl, Some(options)).await
            }
        };
        match self.ensemble.call(until, request).await {
            Ok(answer) => {
                copies.ids().retain(|&id| id != answer.id());
                Ok(answer.id())
            }
            Err(failure) => {
                if failure.effect == Effect::None {
                    copies.ids().clear();
                }
                Err(failure.harmless())
            }
        }
    }

    /// A lease that keeps a counter for so long at least. Counters share them: one is made about once a minute.
    pub(super) async fn counter_lease(
        self: &Arc<Self>,
        keep: Duration,
        until: Instant,
    ) -> Result<i64, Failure> {
        if let Some(id) = self.shared_lease(keep) {
            return Ok(id);
        }
        let _granting = self.granting.lock().await;
        if let Some(id) = self.shared_lease(keep) {
            return Ok(id);
        }
        let seconds = whole_seconds(keep.saturating_add(COUNTERS_SHARE_FOR.max(keep / 8)));
        let ends = self.env.now().saturating_add(Duration::from_secs(seconds));
        let id = self.grant_lease(seconds, COUNTERS_BIT, until).await?;
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner) = Some(Lease { id, ends });
        Ok(id)
    }

    fn shared_lease(&self, keep: Duration) -> Option<i64> {
        let needed = self.env.now().saturating_add(keep);
        let shared = *self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        shared.filter(|lease| lease.ends >= needed).map(|lease| lease.id)
    }

    /// The lease of the counters may be gone.
    pub(super) fn forget_counter_lease(&self) {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Revokes a lease, and the key that is on it. Its id was never anybody else's.
    pub(super) async fn revoke(
        &self,
        name: &LockName,
        owner: &OwnerToken,
        id: i64,
        until: Instant,
    ) -> Result<(), Failure> {
        self.revoke_lease(id, until).await?;
        self.leases.ended(name, owner, id);
        Ok(())
    }

    /// Revokes a lease; says whether it was there.
    async fn revoke_lease(&self, id: i64, until: Instant) -> Result<bool, Failure> {
        let request = move |client: Client| async move { client.lease_client().revoke(id).await };
        match self.ensemble.call(until, request).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.answer == Some(Answer::LeaseNotFound) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Revokes leases that may have been granted, or may yet be: by a member that hangs. Nothing was ever on them.
    fn revoke_strays(self: &Arc<Self>, mut ids: Vec<i64>) {
        if ids.is_empty() {
            return;
        }
        let core = Arc::clone(self);
        self.env.spawn(Box::pin(async move {
            for pause in STRAY_PAUSES {
                core.env.sleep_until(core.env.now().saturating_add(Duration::from_millis(pause))).await;
                let mut left = Vec::new();
                for id in ids {
                    let until = core.env.now().saturating_add(REVOKE_LIMIT);
                    let attempt = std::pin::pin!(core.revoke_lease(id, until));
                    match select(attempt, core.env.sleep_until(until)).await {
                        Either::Left((Ok(true), _)) => {}
                        _ => left.push(id),
                    }
                }
                ids = left;
            }
        }));
    }

    /// Revokes leases in the background, and tries so for half a minute if need be. What cannot be revoked ends with its TTL.
    pub(super) fn revoke_later(self: &Arc<Self>, name: &LockName, owner: &OwnerToken, ids: Vec<i64>) {
        if ids.is_empty() {
            return;
        }
        let (core, name, owner) = (Arc::clone(self), name.clone(), *owner);
        self.env.spawn(Box::pin(async move {
            let mut left = ids;
            for pause in REVOKE_PAUSES {
                if pause > 0 {
                    let pause = Duration::from_millis(pause);
                    core.env.sleep_until(core.env.now().saturating_add(pause)).await;
                }
                let mut failed = Vec::new();
                for id in left {
                    let until = core.env.now().saturating_add(REVOKE_LIMIT);
                    let attempt = std::pin::pin!(core.revoke(&name, &owner, id, until));
                    let late = core.env.sleep_until(until);
                    match select(attempt, late).await {
                        Either::Left((Ok(()), _)) => {}
                        _ => failed.push(id),
                    }
                }
                left = failed;
                if left.is_empty() {
                    return;
                }
            }
        }));
    }

    /// How long a lease still lasts, at least; `None`: it is gone, or nobody can tell.
    pub(super) async fn remaining(&self, lease: i64, until: Instant) -> Option<Duration> {
        let request =
            move |client: Client| async move { client.lease_client().time_to_live(lease, None).await };
        let answer = self.ensemble.call(until, request).await.ok()?;
        u64::try_from(answer.ttl()).ok().map(Duration::from_secs)
    }

    /// Refuses what another owner has.
    pub(super) async fn held(&self, name: &LockName, lock: &Lock, until: Instant) -> Reply {
        self.be_wary(name);
        let remaining = match lock.lease {
            0 => None,
            // It tells whole seconds, rounded down.
            lease => {
                self.remaining(lease, until).await.map(|left| left.saturating_add(Duration::from_secs(1)))
            }
        };
        Reply::Refused(Refusal::new(RefusalReason::Held, remaining).of_owner(OwnerId::of_stored(&lock.owner)))
    }

    pub(super) fn is_wary(&self, name: &LockName) -> bool {
        self.wary.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn be_wary(&self, name: &LockName) {
        let mut wary = self.wary.lock().unwrap_or_else(PoisonError::into_inner);
        if wary.len() >= MOST_WARY {
            wary.clear();
        }
        wary.insert(name.clone());
    }

    pub(super) fn be_bold(&self, name: &LockName) {
        self.wary.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// Rounded up: a lease lasts *at least* this long.
fn whole_seconds(ttl: Duration) -> u64 {
    ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)).max(1)
}
