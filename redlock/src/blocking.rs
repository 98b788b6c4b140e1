//! The same locks for code without an async runtime.
//!
//! Every call blocks its thread. Renewal, releases and loss go on by themselves on the library's own threads. Inside an
//! async runtime use the async API: a blocked worker runs nobody's tasks.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::env::block_on;
use crate::error::{AcquireError, ExtendError, LostReason, ReleaseError};
use crate::guard::Held;
use crate::id::{Instant, InvalidName};
use crate::locks::ShutdownReport;
use crate::look::LockView;
use crate::preflight::Report;

/// A set of nodes, and the locks on them; from [`Locks::blocking`](crate::Locks::blocking).
#[derive(Debug, Clone)]
pub struct Locks {
    inner: crate::Locks,
}

impl Locks {
    pub(crate) fn new(inner: crate::Locks) -> Self {
        Self { inner }
    }

    /// As [`Locks::lock`](crate::Locks::lock).
    pub fn lock(&self, name: impl AsRef<[u8]>) -> Lock {
        Lock { inner: self.inner.lock(name) }
    }

    /// As [`Locks::preflight`](crate::Locks::preflight); blocks as long as that waits.
    pub fn preflight(&self) -> Report {
        block_on(self.inner.preflight())
    }

    /// As [`Locks::look`](crate::Locks::look); blocks as long as that waits.
    ///
    /// # Errors
    /// As there.
    pub fn look(&self, name: impl AsRef<[u8]>) -> Result<LockView, InvalidName> {
        block_on(self.inner.look(name))
    }

    /// The same locks for async code: to hand them to a function that takes [`Locks`](crate::Locks).
    pub fn as_async(&self) -> &crate::Locks {
        &self.inner
    }

    /// As [`Locks::shutdown`](crate::Locks::shutdown); blocks for `patience` at most.
    pub fn shutdown(&self, patience: Duration) -> ShutdownReport {
        block_on(self.inner.shutdown(patience))
    }
}

/// As [`redlock::lock`](crate::lock): the lock with this name on the process-wide default.
pub fn lock(name: impl AsRef<[u8]>) -> Lock {
    Lock { inner: crate::lock(name) }
}

/// As [`redlock::close_default`](crate::close_default); blocks for `patience` at most.
pub fn close_default(patience: Duration) -> Option<ShutdownReport> {
    block_on(crate::close_default(patience))
}

/// Locks over several groups of nodes; from [`LockGroups::blocking`](crate::LockGroups::blocking).
#[derive(Debug, Clone)]
pub struct LockGroups {
    inner: crate::LockGroups,
}

impl LockGroups {
    pub(crate) fn new(inner: crate::LockGroups) -> Self {
        Self { inner }
    }

    /// As [`LockGroups::lock`](crate::LockGroups::lock).
    pub fn lock(&self, name: impl AsRef<[u8]>) -> Lock {
        Lock { inner: self.inner.lock(name) }
    }

    /// The same groups for async code, and for all that does not wait.
    pub fn as_async(&self) -> &crate::LockGroups {
        &self.inner
    }

    /// As [`LockGroups::shutdown`](crate::LockGroups::shutdown); blocks for `patience` at most.
    pub fn shutdown(&self, patience: Duration) -> ShutdownReport {
        block_on(self.inner.shutdown(patience))
    }
}

/// A lock, not acquired yet; from [`Locks::lock`]. There is no `run`: a thread cannot be cancelled.
#[derive(Debug, Clone)]
#[must_use = "a lock does nothing until it is acquired"]
pub struct Lock {
    inner: crate::Lock,
}

impl Lock {
    /// As [`Lock::ttl`](crate::Lock::ttl).
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { inner: self.inner.ttl(ttl) }
    }

    /// As [`Lock::wait_at_most`](crate::Lock::wait_at_most).
    pub fn wait_at_most(self, limit: Duration) -> Self {
        Self { inner: self.inner.wait_at_most(limit) }
    }

    /// As [`Lock::retries`](crate::Lock::retries).
    pub fn retries(self, retries: u32) -> Self {
        Self { inner: self.inner.retries(retries) }
    }

    /// As [`Lock::renew_at_most`](crate::Lock::renew_at_most).
    pub fn renew_at_most(self, limit: Duration) -> Self {
        Self { inner: self.inner.renew_at_most(limit) }
    }

    /// As [`Lock::description`](crate::Lock::description).
    pub fn description(self, text: impl Into<Arc<str>>) -> Self {
        Self { inner: self.inner.description(text) }
    }

    /// As [`Lock::acquire`](crate::Lock::acquire); blocks until the lock is held or a limit is reached.
    ///
    /// # Errors
    /// As there.
    pub fn acquire(&self) -> Result<LockGuard, AcquireError> {
        block_on(self.inner.acquire()).map(|inner| LockGuard { inner })
    }

    /// As [`Lock::try_acquire`](crate::Lock::try_acquire); blocks for one round.
    ///
    /// # Errors
    /// As there.
    pub fn try_acquire(&self) -> Result<Option<LockGuard>, AcquireError> {
        Ok(block_on(self.inner.try_acquire())?.map(|inner| LockGuard { inner }))
    }
}

/// A lock that is held, and renewed until this is dropped. [`Held`]'s methods that do not wait are available on it.
///
/// Dropping it releases in the background and does not block.
#[derive(Debug)]
#[must_use = "the lock is released as soon as its guard is dropped"]
pub struct LockGuard {
    inner: crate::LockGuard,
}

impl LockGuard {
    /// As [`LockGuard::held`](crate::LockGuard::held).
    pub fn held(&self) -> Held {
        self.inner.held()
    }

    /// As [`Held::extend`]; blocks for one round.
    ///
    /// # Errors
    /// As there.
    pub fn extend(&self) -> Result<Instant, ExtendError> {
        block_on(self.inner.extend())
    }

    /// As [`Held::describe`]; blocks for one round.
    ///
    /// # Errors
    /// As there.
    pub fn describe(&self, text: impl Into<Arc<str>>) -> Result<(), ExtendError> {
        block_on(self.inner.describe(text))
    }

    /// As [`Held::lost`]; blocks until the lock is lost.
    pub fn wait_lost(&self) -> Option<LostReason> {
        block_on(self.inner.lost())
    }

    /// As [`LockGuard::release`](crate::LockGuard::release); blocks until a majority has confirmed.
    ///
    /// # Errors
    /// As there.
    pub fn release(self) -> Result<(), ReleaseError> {
        block_on(self.inner.release())
    }
}

impl Deref for LockGuard {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.inner
    }
}
