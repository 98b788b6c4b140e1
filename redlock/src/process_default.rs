//! A set of locks for the whole process, as users of the Go framework due have it (`SetMaker`, `GetMaker`, `Make`, `Close`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::id::LockName;
use crate::lock::Lock;
use crate::locks::{Locks, ShutdownReport};

static DEFAULT: Mutex<Option<Locks>> = Mutex::new(None);

fn current() -> MutexGuard<'static, Option<Locks>> {
    DEFAULT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes these the locks of [`lock`], for the whole process. Call it once, when the program starts. A library had better
/// take a [`Locks`] as an argument: a process has but one default.
///
/// One that was set before is closed, and returned: acquiring on it fails from now on with
/// [`AcquireError::ShutDown`](crate::AcquireError::ShutDown), for those who wait as well. Its open guards stay valid and are
/// renewed until they are dropped, since somebody may still act under them; call [`Locks::shutdown`] on it to wait for
/// them. Clones of it that others have are closed too. Setting a clone of the one that is set changes nothing, and returns
/// `None`.
///
/// ```
/// # #[cfg(feature = "memory")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// redlock::set_default(redlock::Locks::builder().memory().build().await?);
///
/// // Anywhere in the program:
/// let guard = redlock::lock("report").acquire().await?;
/// guard.release().await?;
///
/// // At its end:
/// redlock::close_default(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "memory"))]
/// # fn main() {}
/// ```
pub fn set_default(locks: Locks) -> Option<Locks> {
    let mut current = current();
    if current.as_ref().is_some_and(|set| set.is_same(&locks)) {
        return None;
    }
    let before = current.replace(locks);
    // Before anybody can acquire on the new one: a program that replaces its default is not to hold one name on both.
    if let Some(before) = &before {
        before.close();
    }
    before
}

/// What was [set](set_default), if it was.
pub fn default_locks() -> Option<Locks> {
    current().clone()
}

/// The lock with this name on the [default](set_default) that is set now; as [`Locks::lock`].
///
/// Never fails, nor panics: where no default is set, acquiring the lock is
/// [`AcquireError::NoDefault`](crate::AcquireError::NoDefault). A lock stays with the default that was set when it was made.
pub fn lock(name: impl AsRef<[u8]>) -> Lock {
    match &*current() {
        Some(locks) => locks.lock(name),
        None => Lock::nowhere(LockName::new(name)),
    }
}

/// Takes the [default](set_default) away, and shuts it down: [`Locks::shutdown`] says what becomes of open guards. `None` if there
/// was none.
///
/// Cancel safe: from its first poll on there is no default; dropped later, open guards are renewed on.
pub async fn close_default(patience: Duration) -> Option<ShutdownReport> {
    let locks = current().take()?;
    Some(locks.shutdown(patience).await)
}
