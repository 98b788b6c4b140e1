//! Validity while a lock is held: renewal, its failures, and how a holder learns of the loss.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use redlock::env::Env;
use redlock::node::{Effect, Node, NodeErrorKind};
use redlock::testing::faulty::{Fault, Op};
use redlock::testing::virtual_env::ClientClock;
use redlock::{ExtendError, Held, LockState, Locks, LostReason, ReleaseError, RunError};

use crate::fleet::{self, assert_nothing_is_left};
use crate::world::{MS, SECOND, World};

/// A loss by expiry may be told this much before the validity ends, so that it is never told after it.
const MOST_AHEAD: Duration = Duration::from_millis(5);

#[test]
fn work_that_takes_much_longer_than_the_ttl_is_done_under_the_lock() {
    // rslock: `using` with a TTL of 300 ms never extends, and says Ok.
    let world = World::new(3);
    let (client, rival) = (world.client(), world.client());
    let (lock, wanted) = (client.locks.lock("a").ttl(300 * MS), rival.locks.lock("a"));
    let sim = &world.sim;
    let work = async |held: Held| {
        for _ in 0..20 {
            sim.sleep(100 * MS).await;
            assert!(held.is_valid());
            assert!(wanted.try_acquire().await.unwrap().is_none());
        }
    };
    sim.block_on(lock.run(work)).unwrap();
    assert!(client.arrivals(Op::Extend).len() >= 20, "renewed at about a third of the TTL on each node");
}

#[test]
fn work_whose_lock_is_lost_is_cancelled_and_not_called_done() {
    // rslock: `using` says Ok when the lock had expired long before the work was done.
    let world = World::new(3);
    let client = world.client();
    let lock = client.locks.lock("a").ttl(300 * MS);
    client.ways.iter().for_each(|way| way.set_for(Op::Extend, Fault::drop_request()));
    let started = world.sim.now();
    let result = world.sim.block_on(lock.run(|_| world.sim.sleep(2 * SECOND)));
    assert!(matches!(result, Err(RunError::Lost(LostReason::Expired))), "{result:?}");
    assert!(world.since(started) < 300 * MS);
}

#[test]
fn try_acquire_is_renewed_as_acquire_is() {
    // due: what TryAcquire returns is never renewed.
    let world = World::new(3);
    let client = world.client();
    let guard = world.within(SECOND, client.locks.lock("a").ttl(SECOND).try_acquire()).unwrap().unwrap();
    world.sim.advance(60 * SECOND);
    assert_eq!(guard.state(), LockState::Held);
    assert_eq!(world.holders("a"), 3);
}

#[test]
fn a_renewal_that_fails_once_is_told_and_followed_by_another() {
    // due: one transient error ends renewal, and nobody is told. Redisson: no call-back for it.
    let world = World::new(3);
    let client = world.client();
    let guard = world.acquire(&client, "a", 3 * SECOND);
    client
        .ways
        .iter()
        .for_each(|way| way.next(Op::Extend, Fault::fail(NodeErrorKind::NotReady, Effect::None)));
    let told = world.within(3 * SECOND, guard.state_changed_from(LockState::Held));
    assert_eq!(told, LockState::Suspect { until: guard.valid_until() });
    let told = world.within(3 * SECOND, guard.state_changed_from(told));
    assert_eq!(told, LockState::Held);
    world.sim.advance(60 * SECOND);
    assert_eq!(guard.state(), LockState::Held);
}

#[test]
fn an_extension_that_fails_deletes_nothing_and_the_lock_stays_valid() {
    // rslock: one failed extend deletes the lock on every node.
    let world = World::new(3);
    let client = world.client();
    let guard = world.acquire(&client, "a", 10 * SECOND);
    world.sim.advance(MS);
    let valid_until = guard.valid_until();
    client.ways.iter().take(2).for_each(|way| way.next(Op::Extend, Fault::refuse()));
    let error = world.within(SECOND, guard.extend()).unwrap_err();
    assert!(matches!(error, ExtendError::Failed { .. }), "{error}");
    assert!(guard.is_valid());
    assert_eq!(guard.valid_until(), valid_until);
    world.sim.advance(SECOND);
    assert_eq!(world.holders("a"), 3);
    assert!(client.arrivals(Op::Release).is_empty());
    assert!(world.within(SECOND, guard.extend()).unwrap() > valid_until);
}

#[test]
fn is_valid_is_false_once_the_validity_has_ended() {
    // redsync, RedLock.net: still valid after the key has expired.
    let world = World::new(3);
    let client = world.client();
    let guard = world.acquire(&client, "a", SECOND);
    client.ways.iter().for_each(|way| way.set(Fault::drop_request()));
    world.sim.advance(guard.remaining() - MOST_AHEAD);
    assert!(guard.is_valid());
    world.sim.advance(MOST_AHEAD);
    assert!(!guard.is_valid());
    assert_eq!(guard.remaining(), Duration::ZERO);
    assert_eq!(guard.state(), LockState::Lost(LostReason::Expired));
    assert_eq!(world.holders("a"), 3, "the keys outlive the validity, never the other way round");
}

#[test]
fn a_lost_lock_is_told_to_its_holder_before_its_validity_ends() {
    // due, RedLock.net, Redisson: never told. DistributedLock: seconds after it has expired.
    let world = World::new(5);
    let client = world.client();
    let guard = world.acquire(&client, "a", 3 * SECOND);
    client.ways.iter().for_each(|way| way.hang());
    let valid_until = guard.valid_until();
    world.within(3 * SECOND, guard.at_risk(SECOND));
    assert_eq!(world.sim.now(), valid_until.saturating_sub(SECOND), "told ahead");
    assert_eq!(world.within(3 * SECOND, guard.lost()), Some(LostReason::Expired));
    assert!(world.sim.now() <= valid_until, "no later than that");
    assert!(world.sim.now() >= valid_until.saturating_sub(MOST_AHEAD), "and hardly before");
    let error = world.within(SECOND, guard.release()).unwrap_err();
    assert!(matches!(error, ReleaseError::NotHeld { reason: Some(LostReason::Expired), .. }), "{error}");
}

#[test]
fn a_lock_that_others_have_taken_is_lost_as_soon_as_a_majority_says_so() {
    // RedLock.net: no notification. Redisson: a line in the log.
    let world = World::new(3);
    let client = world.client();
    let guard = world.acquire(&client, "a", 9 * SECOND);
    for node in 0..2 {
        world.nodes[node].crash_losing_memory();
        world.occupy(node, "a", 30 * SECOND);
    }
    let started = world.sim.now();
    assert_eq!(world.within(9 * SECOND, guard.lost()), Some(LostReason::Superseded));
    assert!(world.since(started) <= 3 * SECOND, "with the next renewal, at a third of the TTL");
}

#[test]
fn an_extension_that_took_too_long_does_not_count() {
    // pottery: an extension is taken for good however late its replies come.
    let world = World::new(3);
    let client = world.client_with(|builder| builder.node_timeout(SECOND));
    let guard = world.acquire(&client, "a", SECOND);
    // The nodes prolong in time; the replies come when the validity has ended.
    client.ways.iter().for_each(|way| way.set_for(Op::Extend, Fault::delay(Duration::ZERO, 995 * MS)));
    let error = world.within(2 * SECOND, guard.extend()).unwrap_err();
    assert!(matches!(error, ExtendError::Lost(LostReason::Expired)), "{error}");
    assert!(!guard.is_valid());
}

#[test]
fn an_extension_never_brings_back_a_lock_that_others_held_in_between() {
    // aioredlock: extending an expired lock makes its key anew.
    let world = World::new(3);
    let client = world.client();
    let other = world.client();
    let guard = world.acquire(&client, "a", SECOND);
    client.ways.iter().for_each(|way| way.hang());
    world.sim.advance(SECOND);
    let between = world.acquire(&other, "a", 30 * SECOND);
    world.within(SECOND, between.release()).unwrap();
    // What was sent meanwhile arrives, and the holder asks once more.
    client.ways.iter().for_each(|way| way.resume());
    world.sim.advance(SECOND);
    let error = world.within(SECOND, guard.extend()).unwrap_err();
    assert!(matches!(error, ExtendError::Lost(LostReason::Expired)), "{error}");
    assert_eq!(world.holders("a"), 0);
    assert_eq!(guard.state(), LockState::Lost(LostReason::Expired));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_never_makes_a_key_that_is_gone() {
    // RedLock.net: an extension sets a missing key anew, whoever held the lock since.
    let fleet = fleet::start(3);
    let locks = fleet::locks(&fleet).await;
    let guard = locks.lock("a").acquire().await.unwrap();
    fleet::eventually("all three have the key", || fleet::keys(&fleet) == 3).await;
    let remove = |server: usize| fleet.server(server).command(&["DEL", "redlock:a"]).unwrap();
    remove(0);
    guard.extend().await.unwrap();
    // Its answer counts: with a second one the quorum is gone.
    remove(1);
    let error = guard.extend().await.unwrap_err();
    assert!(matches!(error, ExtendError::Lost(LostReason::Missing)), "{error}");
    assert_eq!(fleet.server(0).lock_keys().unwrap(), Vec::<String>::new());
    assert_eq!(fleet.server(1).lock_keys().unwrap(), Vec::<String>::new());
    drop(guard);
    assert_nothing_is_left(&locks, &fleet).await;
}

#[test]
fn nothing_is_renewed_after_the_release() {
    // Redisson: the watchdog outlives unlock.
    let world = World::new(3);
    let client = world.client();
    let [explicit, dropped] = ["a", "b"].map(|name| world.acquire(&client, name, SECOND));
    world.sim.advance(5 * SECOND);
    world.within(SECOND, explicit.release()).unwrap();
    drop(dropped);
    world.sim.advance(MS);
    let renewed = client.arrivals(Op::Extend).len();
    assert!(renewed > 0);
    assert_eq!((world.holders("a"), world.holders("b")), (0, 0));
    world.sim.advance(600 * SECOND);
    assert_eq!(client.arrivals(Op::Extend).len(), renewed);
    assert_eq!((world.holders("a"), world.holders("b")), (0, 0));
}

#[test]
fn a_forgotten_guard_ends_at_its_renew_limit() {
    // due: a lock whose release is forgotten is renewed until the process ends.
    let world = World::new(3);
    let client = world.client();
    let lock = client.locks.lock("a").ttl(SECOND).renew_at_most(10 * SECOND);
    let guard = world.within(SECOND, lock.acquire()).unwrap();
    let held = guard.held();
    std::mem::forget(guard);
    world.sim.advance(10 * SECOND);
    assert!(held.is_valid());
    assert_eq!(world.within(SECOND, held.lost()), Some(LostReason::RenewLimit));
    world.sim.advance(SECOND);
    assert_eq!(world.holders("a"), 0);
    drop(world.acquire(&world.client(), "a", SECOND));
}

#[test]
fn a_client_that_slept_past_its_validity_knows_it_when_it_wakes() {
    // redis-semaphore: after the standby of a laptop its holder goes on as if nothing had happened.
    let world = World::new(3);
    let laptop = world.sim.client(ClientClock::default());
    let env: Arc<dyn Env> = laptop.clone();
    let builder = world
        .nodes
        .iter()
        .fold(Locks::builder().env(env), |builder, node| builder.node(Arc::clone(node) as Arc<dyn Node>));
    let locks = world.sim.block_on(laptop.run(builder.build())).unwrap().unwrap();
    let guard = world.acquire_with(&locks, "a", 10 * SECOND);
    laptop.pause_until(world.sim.now().saturating_add(3_600 * SECOND));
    world.sim.advance(11 * SECOND);
    // Somebody else may have it by now, for the nodes know that the time is over.
    let other = world.acquire(&world.client(), "a", 30 * SECOND);
    world.sim.advance(3_600 * SECOND);
    assert!(!laptop.is_paused());
    assert!(!guard.is_valid());
    assert_eq!(guard.lost().now_or_never(), Some(Some(LostReason::Expired)));
    assert!(world.within(SECOND, guard.release()).is_err());
    assert!(other.is_valid());
    assert_eq!(world.holders("a"), 3);
}

#[test]
fn what_time_of_day_a_client_believes_it_is_does_not_matter() {
    // rueidislock: keys expire at a time of day that the client has reckoned by its own clock.
    let world = World::new(3);
    let hours = |hours: u32| ClientClock { rate_ppm: 0, offset: hours * 3_600 * SECOND };
    let [early, late] = [hours(0), hours(48)].map(|clock| {
        let client = world.sim.client(clock);
        let env: Arc<dyn Env> = client.clone();
        let builder = world.nodes.iter().fold(Locks::builder().env(env), |builder, node| {
            builder.node(client.reach(Arc::clone(node) as Arc<dyn Node>))
        });
        world.sim.block_on(client.run(builder.build())).unwrap().unwrap()
    });
    for (holder, waiter) in [(&early, &late), (&late, &early)] {
        let guard = world.acquire_with(holder, "a", SECOND);
        assert!(guard.remaining() > 900 * MS && guard.remaining() < SECOND);
        for _ in 0..50 {
            world.sim.advance(100 * MS);
            assert!(guard.is_valid());
            assert!(world.within(SECOND, waiter.lock("a").try_acquire()).unwrap().is_none());
        }
        world.within(SECOND, guard.release()).unwrap();
    }
}
