//! What is special about a store of several members: one of them leads, and may go, or stand still and not know that it does not lead
//! any more.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::LockGuard;

use super::scene::token_of;
use super::two::gets_in;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::fleet::{Action, ActionKind};
use crate::network::Direction;

pub(super) const ETCD_LEADER_KILLED: Scenario = Scenario {
    name: "etcd-leader-killed",
    about: "the member that leads crashes, and every lock is lost with it",
    source: "clients that stay with one member; an election takes a moment",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[ActionKind::Kill, ActionKind::Start],
    kills: &[],
    play: Play::On("etcd", leader_killed),
};

pub(super) const ZOOKEEPER_LEADER_KILLED: Scenario = Scenario {
    name: "zookeeper-leader-killed",
    play: Play::On("zookeeper", leader_killed),
    ..ETCD_LEADER_KILLED
};

pub(super) const ETCD_LEADER_STOPPED: Scenario = Scenario {
    name: "etcd-leader-stopped",
    about: "a leader that stood still, and does not know that there is another one, tells its client that the lock is still held",
    source: "etcd #15247 (a leader of old answers keep-alives); Jepsen's analysis of etcd 3.4.3",
    nodes: 3,
    ttl: Duration::from_secs(2),
    needs: &[ActionKind::Pause, ActionKind::Resume],
    kills: &[],
    play: Play::On("etcd", leader_stopped),
};

pub(super) const ETCD_LEADER_RETURNS: Scenario = Scenario {
    name: "etcd-leader-returns",
    about: "a leader that stood still goes on, and revokes leases which have been kept alive with the others meanwhile",
    source: "etcd #12528, #15247 (3.4 and 3.5 before the end of 2023)",
    nodes: 3,
    // More than two elections take, of which the first one may end without a leader.
    ttl: Duration::from_secs(6),
    needs: &[ActionKind::Pause, ActionKind::Resume],
    kills: &[],
    play: Play::On("etcd", leader_returns),
};

pub(super) const ETCD_CUT_OFF: Scenario = Scenario {
    name: "etcd-cut-off",
    about: "a client that reaches no member any more believes in its lock when somebody else has it",
    source: "Kubernetes #23731, #67651; etcd #10811",
    nodes: 3,
    ttl: Duration::from_secs(2),
    needs: &[],
    kills: &[],
    play: Play::On("etcd", cut_off),
};

pub(super) const ZOOKEEPER_CUT_OFF: Scenario = Scenario {
    name: "zookeeper-cut-off",
    source: "CURATOR-460, CURATOR-220: a client that is cut off is not told that its session is over",
    play: Play::On("zookeeper", cut_off),
    ..ETCD_CUT_OFF
};

pub(super) const ETCD_REVOKED: Scenario = Scenario {
    name: "etcd-revoked",
    about: "an operator revokes the lease of a lock, and its holder goes on until the lease would have ended",
    source: "etcd #10125, #19597: a session that ended and a lock that goes on",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[],
    kills: &["lost_on_majority", "restore_new_only"],
    play: Play::On("etcd", revoked),
};

pub(super) const ZOOKEEPER_STOPPED: Scenario = Scenario {
    name: "zookeeper-stopped",
    about: "members that stood still end sessions as soon as they go on, by what they knew before, while a holder counts on more",
    source: "the documentation of ZooKeeper's sessions: members pass signs of life on twice a tick, not at once",
    nodes: 3,
    ttl: Duration::from_secs(4),
    needs: &[ActionKind::Pause, ActionKind::Resume],
    kills: &[],
    play: Play::On("zookeeper", stopped),
};

/// The holder goes on, uninterrupted, and nobody else gets in.
fn leader_killed(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let guard = scene.acquire(&locks)?;
    let leader = scene.leader()?;
    scene.act(leader, Action::Kill)?;
    let killed = redlock::Instant::now();
    let mut rival = None;
    scene.eventually("the holder renews its lock", || {
        rival = scene.take(&other);
        let renewed = guard.valid_until() > killed.saturating_add(scene.ttl());
        Ok(renewed || rival.is_some() || !guard.is_valid())
    })?;
    if rival.is_some() {
        return Ok(Finding::Bad(
            "when the leader had gone, somebody else got a lock that was held".to_owned(),
        ));
    }
    if !guard.is_valid() {
        return Ok(Finding::Bad("a lock was lost with the leader, though a majority was there".to_owned()));
    }
    scene.act(leader, Action::Start)?;
    let token = token_of(&guard)?;
    block_on(guard.release())?;
    Ok(Finding::bad_if(
        scene.token(&other)? <= token,
        "the fencing token of the next holder is not greater than that of the one before",
    ))
}

/// The holder goes on with the others, and does so when the old leader is back.
fn leader_returns(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let guard = scene.acquire(&locks)?;
    let leader = scene.leader()?;
    scene.act(leader, Action::Pause)?;
    // All that it knows of would have ended by then.
    let over = redlock::Instant::now().saturating_add(scene.ttl());
    scene.eventually("whatever the old leader knows of has ended", || {
        Ok(!guard.is_valid() || redlock::Instant::now() > over)
    })?;
    if !guard.is_valid() {
        return Ok(Finding::Bad("a lock was lost with the leader, though a majority was there".to_owned()));
    }
    scene.act(leader, Action::Resume)?;
    let resumed = Instant::now();
    let mut rival = None;
    scene.eventually("a TTL has passed", || {
        rival = scene.take(&other);
        Ok(resumed.elapsed() > scene.ttl() || rival.is_some() || !guard.is_valid())
    })?;
    match (rival, guard.is_valid()) {
        (Some(_), true) => Ok(both(&guard)),
        (Some(_), false) | (None, false) => {
            Ok(Finding::Bad("a lock that was renewed is lost when the leader of old goes on".to_owned()))
        }
        (None, true) => Ok(Finding::Good),
    }
}

/// The holder reaches the leader alone.
fn leader_stopped(scene: &Scene) -> Result<Finding, SceneError> {
    let leader = scene.leader()?;
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let others: Vec<_> = (0..scene.nodes()).filter(|&node| node != leader).collect();
    let guard = scene.acquire(&locks)?;
    others.iter().for_each(|&node| scene.way(0, node).cut(Direction::Both));
    scene.eventually("the holder renews its lock by way of the leader", || {
        let since = redlock::Instant::now();
        Ok(guard.valid_until() > since.saturating_add(scene.ttl() * 3 / 4))
    })?;
    scene.act(leader, Action::Pause)?;
    let rival = scene.acquire(&other)?;
    if guard.is_valid() {
        return Ok(both(&guard));
    }
    // What has queued up at the old leader is run by it first.
    scene.act(leader, Action::Resume)?;
    stays_lost(scene, &guard, &rival)
}

/// The holder reaches no member.
fn cut_off(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let guard = scene.acquire(&locks)?;
    let token = token_of(&guard)?;
    scene.cut(0, Direction::Both);
    let rival = scene.acquire(&other)?;
    if guard.is_valid() {
        return Ok(both(&guard));
    }
    scene.ways(0).for_each(crate::network::Way::mend);
    let finding = stays_lost(scene, &guard, &rival)?;
    let between = token_of(&rival)?;
    block_on(rival.release())?;
    drop(guard);
    let after = scene.token(&locks)?;
    Ok(match finding {
        Finding::Good => Finding::bad_if(
            !(token < between && between < after),
            "fencing tokens do not rise from holder to holder",
        ),
        bad => bad,
    })
}

fn revoked(scene: &Scene) -> Result<Finding, SceneError> {
    let locks = scene.locks(0)?;
    let guard = scene.acquire(&locks)?;
    scene.end_locks()?;
    let promised = guard.valid_until();
    scene.eventually("the holder is told, or promised more", || {
        Ok(!guard.is_valid() || guard.valid_until() > promised)
    })?;
    // Without a look at the node it would have believed in it to the end.
    let is_early = redlock::Instant::now().saturating_add(scene.ttl() / 6) < promised;
    Ok(Finding::bad_if(
        guard.is_valid() || !is_early,
        "a holder whose lease was revoked is not told before it would have ended anyway",
    ))
}

/// All members stand still for nearly as long as the lock lasts.
fn stopped(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, other) = (scene.locks(0)?, scene.locks(1)?);
    let guard = scene.hold(&locks)?;
    scene.act_on(0..scene.nodes(), Action::Pause)?;
    scene.eventually("the lock is about to end", || Ok(guard.remaining() < scene.ttl() / 4))?;
    scene.act_on(0..scene.nodes(), Action::Resume)?;
    Ok(gets_in(&guard, &other))
}

/// For as long as a lock lasts, the one that was lost stays lost and the other one stays.
fn stays_lost(scene: &Scene, lost: &LockGuard, rival: &LockGuard) -> Result<Finding, SceneError> {
    let since = Instant::now();
    let mut finding = Finding::Good;
    scene.eventually("a TTL has passed", || {
        if lost.is_valid() {
            finding = Finding::Bad("a lock that was lost is held again".to_owned());
        } else if !rival.is_valid() {
            finding = Finding::Bad("a lock was lost to a client that had lost it before".to_owned());
        }
        Ok(since.elapsed() > scene.ttl() || !finding.is_good())
    })?;
    Ok(finding)
}

fn both(guard: &LockGuard) -> Finding {
    Finding::Bad(format!(
        "two clients hold the lock: the first one is promised it for another {:.0?}",
        guard.remaining()
    ))
}
