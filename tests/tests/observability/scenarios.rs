//! What happens to locks and nodes. Together they make the library say everything that it can say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::FutureExt as _;
use futures::executor::block_on;
use redlock::backend::memcached::MemcachedConfig;
use redlock::backend::redis::{RedisConfig, RedisNode};
use redlock::node::{Effect, Node, NodeErrorKind};
use redlock::testing::faulty::{Fault, FaultyNode, Op};
use redlock::testing::real_env;
use redlock::testing::servers::{ClockStep, MemcachedServer, RedisCluster, RedisFleet, RedisServer};
use redlock::{
    AcquireError, ExtendError, LockState, Locks, LocksBuilder, LostReason, Protections, ReleaseError,
};
use redlock_tests::clock_shim;
use redlock_tests::support::{self, eventually};

use crate::stage::Stage;

pub(crate) type Scenario = fn(&Stage);

pub(crate) const ALL: &[Scenario] = &[
    a_lock_is_used,
    nobody_can_have_it,
    counters_are_behind,
    a_node_goes_and_comes_back,
    renewal_fails_for_a_while,
    keys_are_lost,
    somebody_else_has_it,
    validity_ends,
    renewal_is_limited,
    keys_are_gone_at_release,
    a_release_is_not_confirmed,
    a_shutdown_runs_out_of_time,
    a_new_fleet,
    a_node_forgets,
    a_node_becomes_foreign,
    the_clock_of_a_node_jumps,
    our_clock_jumps,
    a_marker_cannot_be_changed,
    a_node_does_not_tell,
    a_lock_is_handed_over,
    a_node_is_several_servers,
    a_node_is_a_cluster,
    a_cluster_is_not_there,
    a_node_is_not_set_up_well,
    leaders_come_and_go,
    an_election_is_won_too_late,
];

pub(crate) const MAX_TTL: Duration = Duration::from_millis(600);

/// With the restart guard, whose quarantines are short.
pub(crate) fn guarded(fleet: &RedisFleet) -> LocksBuilder {
    let builder = Locks::builder().nodes(fleet.urls()).ttl(MAX_TTL).max_ttl(MAX_TTL);
    builder.node_timeout(Duration::from_millis(300))
}

fn fleet(count: usize) -> RedisFleet {
    RedisFleet::start(count).unwrap()
}

fn first(fleet: &RedisFleet, count: usize) -> impl Iterator<Item = &RedisServer> {
    fleet.iter().take(count)
}

/// Acquired, refused, cancelled, extended, released.
pub(crate) fn a_lock_is_used(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let guard = block_on(locks.lock(stage.name("used")).acquire()).unwrap();
    assert!(block_on(locks.lock(stage.name("used")).try_acquire()).unwrap().is_none());
    let lock = locks.lock(stage.name("used"));
    assert!(lock.acquire().now_or_never().is_none(), "it waits, and is dropped");
    block_on(guard.extend()).unwrap();
    block_on(guard.release()).unwrap();
}

/// Won, refused to another, resigned, lost, held on to; and campaigns that come to nothing.
pub(crate) fn leaders_come_and_go(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let name = stage.name("chief");
    let chief = [("election", name.as_str())];
    let election = stage.election(&locks, "chief").on_overrun(|_| ());
    let other = stage.election(&locks, "chief").wait_at_most(Duration::from_millis(100));
    let mut leadership = block_on(election.campaign()).unwrap();
    assert_eq!(stage.recorder.value("redlock_election_leading", &chief), 1.0);
    assert_eq!(stage.recorder.value("redlock_election_epoch", &chief), leadership.epoch().get() as f64);
    assert!(block_on(other.campaign()).is_err());
    block_on(leadership.resign()).unwrap();
    drop(leadership);
    eventually("it has ended", || stage.said("leader has resigned", "election", &name) == 1);

    let leadership = block_on(election.campaign()).unwrap();
    first(&fleet, 2).for_each(|server| drop(server.command(&["FLUSHALL"]).unwrap()));
    assert!(block_on(leadership.verify()).is_err());
    eventually("the work goes on", || {
        stage.said("work of leader has not ended with its leadership", "election", &name) == 1
    });
    let lost = stage.only("leadership is lost", "election", &name);
    assert_eq!(lost.field("epoch"), leadership.epoch().get().to_string());
    drop(leadership);
    assert_eq!(stage.said("candidate leads", "election", &name), 2);

    first(&fleet, 2).for_each(RedisServer::kill);
    assert!(block_on(election.try_campaign()).is_err());
    block_on(locks.shutdown(Duration::ZERO));
    assert!(block_on(election.try_campaign()).is_err());
    assert_eq!(stage.recorder.value("redlock_election_leading", &chief), 0.0);
    assert_eq!(stage.recorder.value("redlock_election_wins_total", &chief), 2.0);
    assert_eq!(stage.recorder.value("redlock_election_overruns_total", &chief), 1.0);
    for reason in ["busy", "unavailable", "invalid"] {
        let labels = [("election", name.as_str()), ("reason", reason)];
        assert_eq!(stage.recorder.value("redlock_election_failures_total", &labels), 1.0, "{reason}");
    }
    for end in ["resigned", "missing"] {
        let labels = [("election", name.as_str()), ("end", end)];
        assert_eq!(stage.recorder.value("redlock_election_ends_total", &labels), 1.0, "{end}");
    }
}

/// The announcement of the winner takes longer than its validity.
fn an_election_is_won_too_late(stage: &Stage) {
    let fleet = fleet(1);
    let env = real_env().unwrap();
    let config = RedisConfig::from_url(&fleet.server(0).url()).unwrap().restart_guard(false);
    let node = RedisNode::start(config, Arc::clone(&env), Protections::default()).unwrap();
    let faulty = FaultyNode::new(node, env);
    faulty.set_for(Op::Extend, Fault::drop_request());
    let ttl = Duration::from_millis(300);
    let builder = Locks::builder().node(Arc::clone(&faulty) as Arc<dyn Node>).ttl(ttl).node_timeout(ttl);
    let locks = stage.build(builder.restart_guard(false));
    let election = stage.election(&locks, "late");
    let name = stage.name("late");
    eventually("it was won too late", || {
        assert!(block_on(election.try_campaign()).is_ok_and(|won| won.is_none()));
        stage.said("election was won too late; it goes on", "election", &name) > 0
    });
    let labels = [("election", name.as_str()), ("reason", "late")];
    assert!(stage.recorder.value("redlock_election_failures_total", &labels) >= 1.0);
}

/// No quorum of nodes answers; then nothing can be acquired any more.
fn nobody_can_have_it(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    first(&fleet, 2).for_each(RedisServer::kill);
    let refused = block_on(locks.lock(stage.name("none")).try_acquire()).unwrap_err();
    assert!(matches!(refused, AcquireError::Unavailable { .. }), "{refused}");
    block_on(locks.shutdown(Duration::ZERO));
    assert!(matches!(block_on(locks.lock(stage.name("none")).try_acquire()), Err(AcquireError::ShutDown)));
}

/// Every node's fencing counter stands elsewhere, so that those of no quorum agree.
fn counters_are_behind(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    for (index, server) in fleet.iter().enumerate() {
        let counter = format!("{}", 4_000_000_000_000_000_u64 + index as u64);
        server
            .command(&["SET", &format!("#redlock:aux:{{redlock:{}}}", stage.name("behind")), &counter])
            .unwrap();
    }
    drop(block_on(locks.lock(stage.name("behind")).acquire()).unwrap());
}

/// One node of three is killed, and tried again several times, before it is back.
pub(crate) fn a_node_goes_and_comes_back(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let server = fleet.server(0);
    let node = server.address();
    server.kill();
    eventually("several attempts have failed", || {
        // A lock is used meanwhile: nobody says more for that.
        drop(block_on(locks.lock(stage.name("without one")).try_acquire()).unwrap());
        stage.said("connection attempt failed", "node", &node) >= 3
    });
    assert_eq!(stage.recorder.value("redlock_connections", &[("node", &node)]), 0.0);
    server.restart().unwrap();
    eventually("it is up again", || stage.said("node is up again", "node", &node) == 1);
    eventually("it is counted again", || {
        stage.recorder.value("redlock_connections", &[("node", &node)]) == 1.0
    });
    assert!(!stage.only("node is down", "node", &node).field("reason").is_empty());
    assert_eq!(stage.said("node is up again", "node", &node), 1);
}

/// A majority hangs, several renewals fail, and the next one succeeds.
pub(crate) fn renewal_fails_for_a_while(stage: &Stage) {
    let fleet = fleet(3);
    let builder = support::builder(&fleet).node_timeout(Duration::from_millis(50));
    let locks = stage.build(builder);
    let guard = block_on(locks.lock(stage.name("shaky")).acquire()).unwrap();
    first(&fleet, 2).for_each(|server| server.pause().unwrap());
    for _ in 0..3 {
        assert!(matches!(block_on(guard.extend()), Err(ExtendError::Failed { .. })));
    }
    assert!(matches!(guard.state(), LockState::Suspect { .. }));
    first(&fleet, 2).for_each(|server| server.resume().unwrap());
    eventually("renewal succeeds", || block_on(guard.extend()).is_ok());

    let lock = stage.name("shaky");
    let suspect = stage.only("renewal fails; lock is held until its validity ends", "lock", &lock);
    assert!(suspect.field("nodes").contains("127.0.0.1:"), "{suspect:?}");
    assert!(suspect.field("remaining").contains('s'), "{suspect:?}");
    stage.only("renewal succeeds again", "lock", &lock);
    assert!(stage.said("renewal attempt failed", "lock", &lock) >= 2);
    assert_eq!(stage.said("lock is lost", "lock", &lock), 0);
    assert!(stage.recorder.count("redlock_renewal_seconds", &[("outcome", "failed")]) >= 3);
    assert_eq!(stage.recorder.count("redlock_renewal_seconds", &[("outcome", "extended")]), 1);
}

/// A majority was flushed.
fn keys_are_lost(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let guard = block_on(locks.lock(stage.name("missing")).acquire()).unwrap();
    first(&fleet, 2).for_each(|server| drop(server.command(&["FLUSHALL"]).unwrap()));
    assert!(block_on(guard.extend()).is_err());
    assert_eq!(guard.state(), LockState::Lost(LostReason::Missing));
    assert!(matches!(block_on(guard.release()), Err(ReleaseError::NotHeld { reason: Some(_), .. })));
}

/// A majority has another owner.
fn somebody_else_has_it(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let guard = block_on(locks.lock(stage.name("superseded")).acquire()).unwrap();
    for server in first(&fleet, 2) {
        server
            .command(&["SET", &format!("redlock:{}", stage.name("superseded")), "theirs", "PX", "60000"])
            .unwrap();
    }
    assert!(block_on(guard.extend()).is_err());
    assert_eq!(guard.state(), LockState::Lost(LostReason::Superseded));
}

/// Nobody can renew it.
pub(crate) fn validity_ends(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let guard = block_on(locks.lock(stage.name("expired")).ttl(Duration::from_secs(1)).acquire()).unwrap();
    first(&fleet, 2).for_each(RedisServer::kill);
    assert_eq!(block_on(guard.lost()), Some(LostReason::Expired));
    drop(guard);

    let lost = stage.only("lock is lost", "lock", &stage.name("expired"));
    assert!(lost.field("reason").contains("validity ended"), "{lost:?}");
    assert_eq!(stage.recorder.value("redlock_losses_total", &[]), 1.0);
    assert_eq!(stage.recorder.value("redlock_losses_total", &[("reason", "expired")]), 1.0);
    assert_eq!(stage.recorder.count("redlock_hold_seconds", &[]), 1);
    assert_eq!(stage.recorder.count("redlock_hold_seconds", &[("end", "expired")]), 1);
    assert_eq!(stage.recorder.value("redlock_locks_held", &[]), 0.0);
}

/// It is not to be renewed any more.
fn renewal_is_limited(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let lock =
        locks.lock(stage.name("limited")).ttl(Duration::from_millis(200)).renew_at_most(Duration::ZERO);
    let guard = block_on(lock.acquire()).unwrap();
    assert_eq!(block_on(guard.lost()), Some(LostReason::RenewLimit));
}

/// Nobody has noticed that they were deleted.
fn keys_are_gone_at_release(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let guard = block_on(locks.lock(stage.name("gone")).acquire()).unwrap();
    fleet.iter().for_each(|server| {
        drop(server.command(&["DEL", &format!("redlock:{}", stage.name("gone"))]).unwrap())
    });
    assert!(matches!(block_on(guard.release()), Err(ReleaseError::NotHeld { reason: None, .. })));
}

/// A majority has gone.
fn a_release_is_not_confirmed(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let guard = block_on(locks.lock(stage.name("unconfirmed")).acquire()).unwrap();
    first(&fleet, 2).for_each(RedisServer::kill);
    assert!(matches!(block_on(guard.release()), Err(ReleaseError::Unconfirmed { .. })));
}

/// Somebody still holds a lock.
fn a_shutdown_runs_out_of_time(stage: &Stage) {
    let fleet = fleet(1);
    let locks = stage.build(support::builder(&fleet));
    let _guard = block_on(locks.lock(stage.name("open")).acquire()).unwrap();
    assert_eq!(block_on(locks.shutdown(Duration::from_millis(10))).open_guards, 1);
}

/// Its nodes are in quarantine once.
pub(crate) fn a_new_fleet(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(guarded(&fleet));
    assert!(block_on(locks.lock(stage.name("new")).try_acquire()).is_err(), "in quarantine");
    drop(block_on(locks.lock(stage.name("new")).acquire()).unwrap());
    for server in &fleet {
        let node = server.address();
        eventually("it is admitted", || stage.said("node is out of quarantine", "node", &node) > 0);
        let quarantined = stage.only("node is in quarantine, since its memory is new", "node", &node);
        assert!(quarantined.field("lasts").contains("ms"), "{quarantined:?}");
        stage.only("node is out of quarantine", "node", &node);
        for metric in ["redlock_quarantines_total", "redlock_admissions_total"] {
            assert_eq!(stage.recorder.value(metric, &[("node", &node)]), 1.0, "{metric}");
        }
    }
}

/// A node is away for a while, comes back without its memory, and is given the lock again.
pub(crate) fn a_node_forgets(stage: &Stage) {
    let fleet = fleet(3);
    // Long enough that a machine that has much else to do does not lose the lock meanwhile; the quarantine is as long.
    let ttl = Duration::from_secs(3);
    let locks = stage.init(guarded(&fleet).ttl(ttl).max_ttl(ttl));
    let _guard = block_on(locks.lock(stage.name("restored")).acquire()).unwrap();
    let node = fleet.server(0).address();
    fleet.server(0).kill();
    eventually("it was asked who it is", || stage.said("node does not say who it is", "node", &node) > 0);
    fleet.server(0).restart().unwrap();
    eventually("it has the lock again", || {
        stage.recorder.value("redlock_restores_total", &[("node", &node)]) > 0.0
    });
    eventually("it is admitted", || {
        stage.recorder.value("redlock_admissions_total", &[("node", &node)]) == 1.0
    });
}

/// Somebody initialises the nodes with other settings.
pub(crate) fn a_node_becomes_foreign(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.init(guarded(&fleet));
    let _theirs = Stage::new().init(guarded(&fleet).max_ttl(2 * MAX_TTL));
    for server in &fleet {
        let node = server.address();
        eventually("it is noticed", || {
            let _ = block_on(locks.lock(stage.name("foreign")).try_acquire());
            stage.said("node cannot be used", "node", &node) > 0
        });
    }
    let node = fleet.server(0).address();
    eventually("its vote does not count", || {
        let _ = block_on(locks.lock(stage.name("foreign")).try_acquire());
        stage.recorder.value("redlock_votes_total", &[("node", &node), ("vote", "foreign")]) > 3.0
    });
    // While the others change, the reason may.
    let said = stage.events("node cannot be used", "node", &node);
    let reasons: Vec<&str> = said.iter().map(|line| line.field("reason")).collect();
    let different: BTreeSet<&str> = reasons.iter().copied().collect();
    assert_eq!(different.len(), reasons.len(), "{reasons:?}");
    assert!(reasons[reasons.len() - 1].contains("maxExpiration"), "{reasons:?}");
}

/// Nodes with wall clocks of their own, and a client that has watched them for long enough.
fn clocked(stage: &Stage, count: usize) -> (RedisFleet, Locks) {
    let options = RedisServer::options().clock_shim(clock_shim());
    let fleet = RedisFleet::start_with(count, &options).unwrap();
    let locks = stage.init(guarded(&fleet));
    (fleet, locks)
}

/// Forward by a minute, on one node of three.
pub(crate) fn the_clock_of_a_node_jumps(stage: &Stage) {
    // The guard over the nodes may see it before a vote does, which then counts as one in quarantine.
    let seen_by_a_vote = (0..20).any(|_| a_vote_sees_the_clock_jump(stage));
    assert!(seen_by_a_vote, "its vote did not count");
}

fn a_vote_sees_the_clock_jump(stage: &Stage) -> bool {
    let (fleet, locks) = clocked(stage, 3);
    let server = fleet.server(0);
    let node = server.address();
    drop(block_on(locks.lock(stage.name("clock")).acquire()).unwrap());
    server.step_clock(ClockStep::Forward(Duration::from_secs(60))).unwrap();
    let jumps = || stage.recorder.value("redlock_clock_jumps_total", &[("node", &node)]);
    eventually("it is noticed", || {
        drop(block_on(locks.lock(stage.name("clock")).try_acquire()));
        jumps() > 0.0
    });
    let moved = stage.only("clock of node has moved", "node", &node);
    assert!(moved.field("by").contains("ahead"), "{moved:?}");
    assert_eq!(jumps(), 1.0);
    stage.recorder.value("redlock_votes_total", &[("node", &node), ("vote", "clock")]) > 0.0
}

/// All nodes' clocks jump together: it is ours that stood still.
fn our_clock_jumps(stage: &Stage) {
    // On a machine that is too busy the lock may end before anybody has looked at the clocks.
    let reason = (0..20).find_map(|_| {
        lost_when_our_clock_jumps(stage).filter(|reason| !matches!(reason, LostReason::Expired))
    });
    assert_eq!(reason, Some(LostReason::ClockMoved));
}

fn lost_when_our_clock_jumps(stage: &Stage) -> Option<LostReason> {
    let (fleet, locks) = clocked(stage, 3);
    let guard = block_on(locks.lock(stage.name("own clock")).acquire()).unwrap();
    thread::scope(|scope| {
        for server in &fleet {
            scope.spawn(|| server.step_clock(ClockStep::Back(Duration::from_secs(60))).unwrap());
        }
    });
    block_on(guard.lost())
}

/// A node refuses to have its marker changed.
fn a_marker_cannot_be_changed(stage: &Stage) {
    let fleet = fleet(1);
    let env = real_env().unwrap();
    let config = RedisConfig::from_url(&fleet.server(0).url()).unwrap().restart_guard(true);
    let node = RedisNode::start(config, Arc::clone(&env), Protections::default()).unwrap();
    let faulty = FaultyNode::new(node, env);
    faulty.set_for(Op::Mark, Fault::fail(NodeErrorKind::Denied, Effect::None));
    let builder = Locks::builder().node(Arc::clone(&faulty) as Arc<dyn Node>).ttl(MAX_TTL).max_ttl(MAX_TTL);
    let _locks = stage.build(builder);
    let said = || stage.said("marker of node was not changed", "node", faulty.address());
    eventually("it was tried", || said() > 0);
}

/// Whoever waits on a node may not be told there when the lock becomes free.
fn a_node_does_not_tell(stage: &Stage) {
    let fleet = fleet(1);
    let server = fleet.server(0);
    let rule = ["ACL", "SETUSER", "plain", "on", "nopass", "~*", "+@all", "-client|tracking"];
    server.command(&rule).unwrap();
    let config = RedisConfig::from_url(&server.url()).unwrap().username("plain").password("any");
    let [holder, locks] =
        [(); 2].map(|()| stage.build(Locks::builder().restart_guard(false).redis(config.clone())));
    let name = stage.name("untold");
    let _held = block_on(holder.lock(&name).acquire()).unwrap();
    let waiting = locks.lock(&name).wait_at_most(Duration::from_secs(1));
    assert!(block_on(waiting.acquire()).is_err());
    let said = || stage.said("node does not tell when a lock becomes free", "node", &server.address());
    eventually("it is said", || said() > 0);
}

/// From one task to the next one of the same client.
fn a_lock_is_handed_over(stage: &Stage) {
    let fleet = fleet(3);
    let locks = stage.build(support::builder(&fleet));
    let lock = locks.lock(stage.name("handed over"));
    let held = block_on(lock.acquire()).unwrap();
    let mut next = lock.acquire().boxed();
    assert!((&mut next).now_or_never().is_none());
    block_on(held.release()).unwrap();
    block_on(block_on(next).unwrap().release()).unwrap();
    assert_eq!(stage.recorder.value("redlock_handovers_total", &[]), 1.0);
}

fn a_node_is_several_servers(stage: &Stage) {
    let servers = [MemcachedServer::start().unwrap(), MemcachedServer::start().unwrap()];
    let config = MemcachedConfig::sharded(servers.each_ref().map(MemcachedServer::address)).unwrap();
    let node = config.address();
    let _locks = stage.build(Locks::builder().memcached(config));
    stage.only("node is several servers, which the restart guard does not cover", "node", &node);
}

fn a_node_is_a_cluster(stage: &Stage) {
    let cluster = RedisCluster::start(1).unwrap();
    let config = RedisConfig::cluster([cluster.master(0).address()]).unwrap();
    let node = config.address();
    let _locks = stage.build(Locks::builder().redis(config));
    stage.only("node is a Cluster, which the restart guard does not cover", "node", &node);
}

fn a_cluster_is_not_there(stage: &Stage) {
    let fleet = fleet(1);
    fleet.server(0).kill();
    let config = RedisConfig::cluster([fleet.server(0).address()]).unwrap();
    let node = config.address();
    let _locks = stage.build(Locks::builder().restart_guard(false).redis(config).start_without_quorum());
    eventually("it is said", || stage.said("slots of Cluster are not known", "node", &node) > 0);
}

/// A node without anything on disk.
fn a_node_is_not_set_up_well(stage: &Stage) {
    let fleet = fleet(1);
    let _locks = stage.build(support::builder(&fleet));
    let warned = stage.events("preflight warns", "nodes", &fleet.server(0).address());
    assert!(warned.iter().all(|line| !line.field("advice").is_empty()) && !warned.is_empty(), "{warned:?}");
}
