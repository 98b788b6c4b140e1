//! A lock goes from one task of a process to the next without the nodes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use futures::FutureExt as _;
use futures::executor::block_on;
use redlock::{Lock, LockGuard};

use super::forgotten_counter::forget_one_by_one;
use super::minority_token::rises;
use super::scene::{NAME, built, token_of};
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::support::LIMIT;

const SOURCE: &str = "Dice, Marathe and Shavit 2012 (lock cohorting); our own randomized checker";

pub(super) const VIEWS: Scenario = Scenario {
    name: "handed-over",
    about: "whose lock was handed on goes on believing that it is his, or shares his token with the next one",
    source: SOURCE,
    nodes: 3,
    ttl: Duration::from_secs(3),
    needs: &[],
    kills: &["handoff_hold", "handoff_token"],
    play: Play::OnFleet(views),
};

pub(super) const LATE: Scenario = Scenario {
    name: "handed-over-late",
    about: "a lock that is about to run out is handed on, and the next one has no time to act",
    source: SOURCE,
    nodes: 3,
    ttl: Duration::from_secs(8),
    needs: &[],
    kills: &["handoff_validity"],
    play: Play::OnFleet(late),
};

pub(super) const TURNS: Scenario = Scenario {
    name: "handed-over-for-ever",
    about: "the tasks of one process hand a lock on among themselves, and another process waits as long as they come",
    source: SOURCE,
    nodes: 3,
    ttl: Duration::from_secs(3),
    needs: &[],
    kills: &["handoff_bound"],
    play: Play::OnFleet(turns),
};

pub(super) const FORGOTTEN: Scenario = Scenario {
    name: "forgotten-span",
    about: "nodes lose their counters under a lock that is handed on later, and another process gets tokens of its span again",
    source: "our own randomized checker",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["fence_top"],
    play: Play::OnFleet(forgotten),
};

fn views(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    let guard = scene.acquire(&locks)?;
    let (former, token) = (guard.held(), token_of(&guard)?);
    let next = hand_over(&locks.lock(NAME), guard)?;
    if former.is_valid() {
        return Ok(Finding::Bad("two tasks hold the lock".to_owned()));
    }
    rises(token, token_of(&next)?)
}

fn late(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    // Less than what the next one needs.
    let short = locks.lock(NAME).ttl(scene.ttl() / 4);
    let guard = block_on(short.wait_at_most(LIMIT).acquire())?;
    let next = hand_over(&locks.lock(NAME).renew_at_most(Duration::from_nanos(1)), guard)?;
    let left = next.remaining();
    Ok(Finding::bad_if(left < scene.ttl() / 3, format!("the next one has {left:.0?} to act")))
}

fn turns(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (built(scene.builder(0)?.handoff(2))?, scene.locks(1)?);
    let guard = scene.acquire(&locks)?;
    let lock = locks.lock(NAME);
    let mut line: Vec<_> = (0..60).map(|_| lock.acquire().boxed()).collect();
    if line.iter_mut().any(|waiting| waiting.now_or_never().is_some()) {
        return Err(SceneError::Unexpected("a waiter has got what is held".to_owned()));
    }
    let had_its_turn = AtomicBool::new(false);
    thread::scope(|scope| {
        let before = scene.requests_run(0)?;
        scope.spawn(|| {
            let guard = block_on(other.lock(NAME).wait_at_most(LIMIT).acquire());
            had_its_turn.store(guard.is_ok(), Ordering::SeqCst);
        });
        scene.eventually("the other process waits", || Ok(scene.requests_run(0)? > before))?;
        block_on(guard.release())?;
        let mut was_in_between = false;
        for waiting in line {
            let guard = block_on(waiting)?;
            was_in_between |= had_its_turn.load(Ordering::SeqCst);
            block_on(guard.release())?;
        }
        Ok(Finding::bad_if(!was_in_between, "another process waits until no task of this one waits any more"))
    })
}

fn forgotten(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    (0..scene.nodes()).try_for_each(|node| scene.count_ahead(node))?;
    let guard = scene.acquire(&locks)?;
    scene.eventually("every node has granted", || Ok(scene.with_lock()? == scene.nodes()))?;
    forget_one_by_one(scene, &guard)?;
    let next = hand_over(&locks.lock(NAME), guard)?;
    let token = token_of(&next)?;
    block_on(next.release())?;
    rises(token, scene.token(&other)?)
}

/// Releases the guard while `lock` is waited for in the same process, and returns what the waiter has then.
fn hand_over(lock: &Lock, guard: LockGuard) -> Result<LockGuard, SceneError> {
    let mut waiting = lock.acquire().boxed();
    if (&mut waiting).now_or_never().is_some() {
        return Err(SceneError::Unexpected("a waiter has got what is held".to_owned()));
    }
    block_on(guard.release())?;
    Ok(block_on(waiting)?)
}
