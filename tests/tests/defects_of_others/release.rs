//! What a release does, and what it must never do.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{join, select};
use redlock::node::NodeErrorKind;
use redlock::testing::faulty::{Fault, Op};
use redlock::{ExtendError, Locks, ReleaseError};

use crate::fleet::{self, LONG, assert_nothing_is_left, eventually, majority, pttl};
use crate::world::{MS, SECOND, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_late_release_leaves_the_next_holder_alone() {
    // due: the token belongs to the locker, not to the acquisition, so that a stale release frees somebody else's lock.
    let fleet = fleet::start(3);
    let locks = fleet::locks(&fleet).await;
    // The same lock value for both acquisitions, as a shared locker would be.
    let lock = locks.lock("a").ttl(Duration::from_millis(300)).renew_at_most(Duration::ZERO);
    let stale = lock.acquire().await.unwrap();
    let _ = stale.lost().await;
    let next = lock.ttl(LONG).acquire().await.unwrap();
    let theirs = majority(&fleet, "redlock:a");
    assert!(theirs.is_some());
    let error = stale.release().await.unwrap_err();
    assert!(matches!(error, ReleaseError::NotHeld { .. }), "{error}");
    assert_eq!(majority(&fleet, "redlock:a"), theirs);
    assert!(next.is_valid());
    next.release().await.unwrap();
    assert_nothing_is_left(&locks, &fleet).await;
}

#[test]
fn a_release_that_arrives_late_leaves_the_next_holder_alone() {
    // due: a stale deferred release frees somebody else's lock.
    let world = World::new(3);
    let (client, other) = (world.client(), world.client());
    let guard = world.acquire(&client, "a", SECOND);
    // Its release takes longer than the keys live.
    client.ways.iter().for_each(|way| way.set_for(Op::Release, Fault::delay(5 * SECOND, Duration::ZERO)));
    drop(guard);
    world.sim.advance(2 * SECOND);
    assert_eq!(world.holders("a"), 0, "expired");
    let next = world.acquire(&other, "a", 30 * SECOND);
    world.sim.advance(10 * SECOND);
    assert!(client.ways.iter().all(|way| way.log().iter().any(|event| event.op == Op::Release)));
    assert!(next.is_valid());
    assert_eq!(world.holders("a"), 3);
}

#[test]
fn every_acquisition_has_an_owner_of_its_own() {
    // due: the token belongs to the locker, not to the acquisition.
    let world = World::new(1);
    let client = world.client();
    let lock = client.locks.lock("a");
    for _ in 0..3 {
        drop(world.within(SECOND, lock.acquire()).unwrap());
        world.sim.advance(MS);
    }
    let log = client.ways[0].log();
    let mut owners: Vec<_> =
        log.iter().filter(|event| event.op == Op::Acquire).filter_map(|event| event.owner).collect();
    assert_eq!(owners.len(), 3);
    owners.sort_unstable_by_key(|owner| *owner.as_bytes());
    owners.dedup();
    assert_eq!(owners.len(), 3);
}

#[test]
fn a_release_during_a_renewal_in_flight_ends_released() {
    // due: the renewal that is in flight keeps the lock until the process exits.
    for (way_there, way_back) in [(0, 30), (1, 30), (30, 0), (90, 90)] {
        for reconnect in [false, true] {
            let world = World::new(3);
            let client = world.client();
            let guard = world.acquire(&client, "a", 30 * SECOND);
            // One node has renewed already when the release comes.
            let slow = Fault::delay(way_there * MS, way_back * MS);
            client.ways.iter().skip(1).for_each(|way| way.next(Op::Extend, slow.clone()));
            let held = guard.held();
            let releasing = async {
                world.sim.sleep(20 * MS).await;
                if reconnect {
                    // The release overtakes the renewal over a new connection.
                    client.ways.iter().for_each(|way| way.break_connection());
                }
                guard.release().await
            };
            let (renewed, released) = world.within(SECOND, join(held.extend(), releasing));
            assert!(released.is_ok(), "{released:?}");
            assert!(matches!(renewed, Err(ExtendError::Released)), "{renewed:?}");
            world.sim.advance(SECOND);
            assert_eq!(world.holders("a"), 0, "{way_there} ms, {way_back} ms, reconnect: {reconnect}");
            assert_eq!(client.arrivals(Op::Extend).len(), 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_among_renewals_on_real_servers_leave_no_key() {
    // due: a release that races with a renewal in flight can leave the lock held.
    let fleet = fleet::start(3);
    let locks = fleet::locks(&fleet).await;
    for round in 0..300 {
        let guard = locks.lock(format!("a{round}")).acquire().await.unwrap();
        let held = guard.held();
        let renewing = tokio::spawn(async move { while held.extend().await.is_ok() {} });
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        if round % 2 == 0 {
            guard.release().await.unwrap()
        } else {
            drop(guard)
        }
        renewing.await.unwrap();
    }
    assert_nothing_is_left(&locks, &fleet).await;
}

#[test]
fn an_acquire_cancelled_at_any_moment_leaves_nothing() {
    // redsync, pottery, rslock: what a cancelled acquire was granted stays until it expires.
    for cancelled_after in [0, 1, 9, 10, 11, 19, 20, 21, 29] {
        let world = World::new(3);
        let client = world.client();
        client.ways.iter().for_each(|way| way.set(Fault::delay(10 * MS, 10 * MS)));
        client.ways[2].set(Fault::delay(30 * MS, 30 * MS));
        let lock = client.locks.lock("a").ttl(30 * SECOND);
        let given_up = async {
            let acquired = lock.acquire().map(drop);
            select(std::pin::pin!(acquired), world.sim.sleep(cancelled_after * MS)).await;
        };
        world.within(SECOND, given_up);
        world.sim.advance(2 * SECOND);
        assert_eq!(world.holders("a"), 0, "cancelled after {cancelled_after} ms");
        assert_eq!(client.arrivals(Op::Acquire).len(), 3, "every request was sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acquires_dropped_half_way_on_real_servers_leave_no_key() {
    // rslock: a dropped future leaks. redsync: the caller's cancelled context also cancels the clean-up.
    let fleet = fleet::start(5);
    let locks = fleet::locks(&fleet).await;
    for round in 0..1_000 {
        let lock = locks.lock(format!("a{round}"));
        let mut acquired = Box::pin(lock.acquire());
        for _ in 0..round % 5 {
            if (&mut acquired).now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_nothing_is_left(&locks, &fleet).await;
}

#[test]
fn a_failed_acquire_cleans_up_the_nodes_that_did_not_answer_too() {
    // redsync: keys of a failed acquire stay. redlock-rs: the clean-up ends with the first node that is down.
    let world = World::new(5);
    let client = world.client();
    client.ways[0].next(Op::Acquire, Fault::drop_reply());
    client.ways[1].next(Op::Acquire, Fault::drop_reply());
    client.ways[2].next(Op::Acquire, Fault::fail_after_effect(NodeErrorKind::Disconnected));
    // The first releases are lost as well.
    client.ways.iter().for_each(|way| way.next(Op::Release, Fault::drop_request()));
    let lock = client.locks.lock("a").ttl(30 * SECOND);
    assert!(world.within(SECOND, lock.try_acquire()).is_err());
    assert_eq!(world.holders("a"), 5, "they are there, and nobody else knows");
    world.sim.advance(10 * SECOND);
    assert_eq!(world.holders("a"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_on_a_server_ends_by_itself() {
    // Redisson: keys that never expire, 25 million of them. due: a TTL below 1 ms makes a key without an end.
    let fleet = fleet::start(1);
    let locks = Locks::builder().restart_guard(false).nodes(fleet.urls()).build().await.unwrap();
    for (name, micros) in [("a", 10_000), ("b", 10_001), ("c", 999_999), ("d", 30_000_000)] {
        let ttl = Duration::from_micros(micros);
        // Whoever dies with the lock held never releases.
        let guard = locks.lock(name).ttl(ttl).renew_at_most(Duration::ZERO).acquire().await.unwrap();
        for key in fleet.server(0).keys().unwrap() {
            assert_ne!(pttl(fleet.server(0), &key), -1, "{key} after {name} with {ttl:?}");
        }
        std::mem::forget(guard);
    }
    eventually("all but the longest have ended", || fleet.server(0).lock_keys().unwrap() == ["redlock:d"])
        .await;
    assert!((1..=30_000).contains(&pttl(fleet.server(0), "redlock:d")));
}
