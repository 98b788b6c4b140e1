//! One who holds the lock, and one who wants it too.

use redlock::{LockGuard, Locks};

use super::{Finding, Scene, SceneError};
use crate::rivals;

/// Somebody holds the lock and does not renew it; then nodes fail, and somebody else asks for it until it is over.
pub(super) fn two_hold(
    scene: &Scene,
    fail: impl FnOnce() -> Result<(), SceneError>,
) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let guard = scene.hold(&locks)?;
    fail()?;
    if !guard.is_valid() {
        return Err(SceneError::TooSlow("the nodes had failed"));
    }
    Ok(gets_in(&guard, &other))
}

/// Whether the other one gets the lock while it is held.
pub(super) fn gets_in(guard: &LockGuard, other: &Locks) -> Finding {
    if !rivals::gets_in(guard, other) {
        return Finding::Good;
    }
    let left = guard.remaining();
    Finding::Bad(format!("two clients hold the lock: the first one is promised it for another {left:.0?}"))
}

/// Whether both believe that they hold the lock now.
pub(super) fn both_hold(one: &LockGuard, other: &LockGuard) -> Finding {
    Finding::bad_if(
        one.is_valid() && other.is_valid(),
        format!("two clients believe that they hold the lock, one for another {:.0?}", one.remaining()),
    )
}
