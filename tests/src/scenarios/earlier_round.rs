//! The reply to the first round of an acquire is lost, and the release of it is overtaken by the second round.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::Instant;
use redlock::testing::faulty::{Fault, Op};

use super::scene::{NAME, PATIENCE, arrivals};
use super::two::both_hold;
use super::{Finding, Play, Scenario, Scene, SceneError, joined};
use crate::support::LIMIT;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "earlier-round",
    about: "the late release of a round that failed deletes the lock that the next round of the same client has got",
    source: "due and others, which draw one token an acquisition; our own randomized checker",
    nodes: 1,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["fresh_owner"],
    play: Play::OnFleet(play),
};

/// How long the release of the first round is under way.
const LATE: Duration = Duration::from_millis(1_500);

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, links) = scene.locks_over_links(0)?;
    let other = scene.locks(1)?;
    links[0].next(Op::Acquire, Fault::drop_reply());
    links[0].next(Op::Release, Fault::delay(LATE, Duration::ZERO));
    // A renewal would tell that the lock is gone, and have nobody believe in it.
    let lock = locks.lock(NAME).renew_at_most(Duration::from_nanos(1)).wait_at_most(LIMIT);
    let asked = Instant::now();
    let acquiring = thread::spawn(move || block_on(lock.acquire()));
    scene.eventually("the first round is given up", || {
        Ok(Instant::now().saturating_since(asked) > PATIENCE * 3 / 2)
    })?;
    // What follows takes another connection.
    links[0].break_connection();
    let guard = joined(acquiring)??;
    // It was sent once more when the connection broke, which is answered at once.
    scene.eventually("the slow release of the first round has arrived", || {
        let begun = arrivals(&links[0], Op::Acquire).first().copied();
        let is_slow = |at: &Instant| begun.is_some_and(|begun| at.saturating_since(begun) >= LATE);
        Ok(arrivals(&links[0], Op::Release).iter().any(is_slow))
    })?;
    let rival = scene.take(&other);
    Ok(rival.map_or(Finding::Good, |rival| both_hold(&guard, &rival)))
}
