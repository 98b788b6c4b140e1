//! What is special about memcached: it has no memory after a crash, and its clock stands still with it.

use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;

use super::scene::NAME;
use super::two::{gets_in, two_hold};
use super::{Finding, Play, Scenario, Scene, SceneError, joined};
use crate::fleet::{Action, ActionKind};
use crate::network::Direction;
use crate::support::LIMIT;

const KIND: &str = "memcached";

pub(super) const RESTARTED: Scenario = Scenario {
    name: "memcached-restarted",
    about: "three of five servers crash, come back without a memory, and grant what somebody holds",
    source: "memcached's own documentation (a cache, nothing more); due, which keeps locks on one",
    nodes: 5,
    ttl: Duration::from_secs(3),
    needs: &[ActionKind::Kill, ActionKind::Start],
    kills: &["quarantine"],
    play: Play::On(KIND, |scene| {
        two_hold(scene, || {
            scene.act_on(0..3, Action::Kill)?;
            scene.act_on(0..3, Action::Start)
        })
    }),
};

pub(super) const FLUSHED: Scenario = Scenario {
    name: "memcached-flushed",
    about: "servers that were told flush_all grant what somebody holds",
    source: "whoever clears a cache and does not know that it has locks in it",
    nodes: 3,
    ttl: Duration::from_secs(3),
    needs: &[ActionKind::Flush],
    kills: &["marker_check", "quarantine"],
    play: Play::On(KIND, |scene| two_hold(scene, || scene.act_on(0..2, Action::Flush))),
};

pub(super) const CLOCK_JUMP: Scenario = Scenario {
    name: "memcached-clock-jump",
    about: "the machine's wall clock is set ahead, and locks end by it",
    source: "Kleppmann 2016; memcached counts by a monotonic clock",
    nodes: 3,
    ttl: Duration::from_secs(2),
    needs: &[ActionKind::ClockStep],
    kills: &[],
    play: Play::On(KIND, |scene| {
        two_hold(scene, || scene.act_on(0..3, Action::ClockForward(Duration::from_secs(60))))
    }),
};

pub(super) const STOPPED: Scenario = Scenario {
    name: "memcached-stopped",
    about: "a server that stood still runs what has queued up by the time at which it stopped, and the lock ends early",
    source: "our own experiments: with relative exptimes two holders in 5 of 5 tries",
    nodes: 1,
    ttl: Duration::from_secs(4),
    needs: &[ActionKind::Pause, ActionKind::Resume],
    kills: &["stale_deadline"],
    play: Play::On(KIND, stopped),
};

/// For how long it stands still: a lock that ends by its clock would end so much too early.
const STANDS_STILL: Duration = Duration::from_millis(2_200);

fn stopped(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    scene.act(0, Action::Pause)?;
    let paused = Instant::now();
    scene.eventually("its clock is late", || Ok(paused.elapsed() > STANDS_STILL))?;
    let lock = locks.lock(NAME).renew_at_most(Duration::from_nanos(1)).wait_at_most(LIMIT);
    let way = scene.way(0, 0);
    way.cut(Direction::Requests);
    let acquiring = thread::spawn(move || block_on(lock.acquire()));
    scene.eventually("the client has asked", || Ok(way.waiting() > 0))?;
    way.mend();
    scene.eventually("its request has queued up", || Ok(way.waiting() == 0))?;
    scene.act(0, Action::Resume)?;
    let guard = joined(acquiring)??;
    Ok(gets_in(&guard, &other))
}
