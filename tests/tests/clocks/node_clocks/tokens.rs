//! Fencing tokens rise over clocks that are set back, also when the counters are lost afterwards.

use futures::executor::block_on;
use redlock::testing::servers::RedisFleet;
use redlock::{FencingToken, Locks, Protections};
use redlock_tests::support::{LIMIT, eventually};

use super::{TTL, builder, connect, is_admitted, marker, start, step_back, time_of, wait_for_baselines};

fn token(locks: &Locks) -> FencingToken {
    let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    let token = guard.fencing_token().unwrap();
    block_on(guard.release()).unwrap();
    token
}

#[test]
fn a_clock_that_is_set_back_raises_the_floor_of_its_node_to_the_time_before() {
    let fleet = start(3);
    let locks = connect(&fleet);
    wait_for_baselines(TTL);
    let before = time_of(fleet.server(0));
    step_back(fleet.server(0));
    let floor = || marker(&locks, 0).and_then(|marker| marker.floor);
    eventually("the floor is raised", || floor().is_some_and(|floor| floor >= before));
    let most = time_of(fleet.server(1)) + 10_000_000;
    assert!(floor().unwrap() < most, "and no further than need be");
}

/// Sets all clocks back, one after the other, and then has all nodes lose their memory, one after the other. Returns the tokens
/// before, in between and after.
fn tokens_over(protections: Protections) -> [FencingToken; 3] {
    let fleet: RedisFleet = start(3);
    let locks = block_on(builder(&fleet).protections(protections).init()).unwrap();
    let before = token(&locks);
    wait_for_baselines(TTL);
    for (index, server) in fleet.iter().enumerate() {
        let time = time_of(server);
        step_back(server);
        eventually("the floor is raised", || {
            marker(&locks, index).is_some_and(|marker| marker.floor.is_some_and(|floor| floor >= time))
        });
        wait_for_baselines(TTL);
    }
    let between = token(&locks);
    // Somebody else sees to what comes then, who knows nothing of it.
    block_on(locks.shutdown(LIMIT));
    drop(locks);
    let locks = block_on(builder(&fleet).protections(protections).build()).unwrap();
    for (index, server) in fleet.iter().enumerate() {
        let earlier = marker(&locks, index).unwrap().incarnation;
        server.restart().unwrap();
        eventually("it comes out of quarantine", || {
            marker(&locks, index).is_some_and(|marker| marker.incarnation != earlier)
                && is_admitted(&locks, index)
        });
    }
    [before, between, token(&locks)]
}

#[test]
fn tokens_rise_over_clocks_that_are_set_back_and_memories_that_are_lost() {
    let [before, between, after] = tokens_over(Protections::default());
    assert!(before < between && between < after, "{before} {between} {after}");
}

#[test]
fn without_the_floor_tokens_come_again_after_clocks_were_set_back() {
    let [_, between, after] = tokens_over(Protections::without("fence_floor").unwrap());
    assert!(after <= between, "{between} {after}");
}
