//! Nodes that are slow, hung or black holes, among others that are well.

use std::time::Duration;

use redlock::LockState;
use redlock::testing::faulty::{Fault, Op};

use crate::fleet::{self, eventually};
use crate::world::{MS, SECOND, World};

#[test]
fn one_slow_node_slows_nobody() {
    // redsync: waits for the slowest of all nodes.
    let world = World::new(5);
    let client = world.client();
    client.ways.iter().for_each(|way| way.set(Fault::delay(MS, MS)));
    client.ways[3].set(Fault::delay(200 * MS, 200 * MS));
    let started = world.sim.now();
    let guard = world.acquire(&client, "a", 30 * SECOND);
    assert_eq!(world.since(started), 2 * MS);
    world.within(SECOND, guard.extend()).unwrap();
    assert_eq!(world.since(started), 4 * MS);
    world.within(SECOND, guard.release()).unwrap();
    assert_eq!(world.since(started), 6 * MS);
    // The slow one was not forgotten.
    world.sim.advance(SECOND);
    assert_eq!(world.holders("a"), 0);
    assert!(client.ways[3].log().iter().any(|event| event.op == Op::Acquire));
}

#[test]
fn one_black_hole_among_three_slows_nobody() {
    // rslock: still pending after 20 s.
    let world = World::new(3);
    let client = world.client();
    client.ways.iter().for_each(|way| way.set(Fault::delay(MS, MS)));
    client.ways[1].set(Fault::drop_request());
    let started = world.sim.now();
    let guard = world.acquire(&client, "a", SECOND);
    assert_eq!(world.since(started), 2 * MS);
    world.sim.advance(10 * SECOND);
    assert_eq!(guard.state(), LockState::Held, "renewed without it");
    let released = world.sim.now();
    world.within(SECOND, guard.release()).unwrap();
    assert_eq!(world.since(released), 2 * MS);
    assert!(client.ways[1].log().iter().all(|event| matches!(event.op, Op::Probe | Op::Examine)));
}

#[test]
fn too_many_black_holes_fail_the_attempt_within_the_node_timeout() {
    // rslock: a node that never answers is waited for, for ever.
    let world = World::new(3);
    let client = world.client_with(|builder| builder.node_timeout(70 * MS));
    client.ways.iter().skip(1).for_each(|way| way.set(Fault::drop_request()));
    let started = world.sim.now();
    assert!(world.within(SECOND, client.locks.lock("a").try_acquire()).is_err());
    assert_eq!(world.since(started), 70 * MS);
    let limit = 300 * MS;
    let started = world.sim.now();
    assert!(world.within(SECOND, client.locks.lock("a").wait_at_most(limit).acquire()).is_err());
    assert!(world.since(started) <= limit);
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_are_acquired_renewed_and_released_without_a_server_that_hangs() {
    // rslock, redsync, redlock-rs, redlock-py, pottery: half a second to many seconds for each cycle.
    let fleet = fleet::start(5);
    // So long that a single wait for the hung server would fail the test by its time limit.
    let locks = redlock::Locks::builder()
        .restart_guard(false)
        .nodes(fleet.urls())
        .ttl(fleet::LONG)
        .node_timeout(Duration::from_secs(120))
        .build()
        .await
        .unwrap();
    fleet.server(2).pause().unwrap();
    let cycles = async {
        for round in 0..1_000 {
            let guard = locks.lock(format!("a{round}")).acquire().await.unwrap();
            guard.extend().await.unwrap();
            guard.release().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(100), cycles)
        .await
        .expect("they do not wait for the hung server");
    // Awake again, it runs what has queued up, and what it lacks then is made up for.
    fleet.server(2).resume().unwrap();
    eventually("no server has a key", || fleet::keys(&fleet) == 0).await;
}
