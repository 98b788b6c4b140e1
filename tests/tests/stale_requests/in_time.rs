//! A server stands still, and goes on before the deadline of what it was asked: it grants, and the grant is accounted for.

use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use redlock::Locks;
use redlock::testing::servers::RedisFleet;
use redlock_tests::support::{assert_no_key_is_left, builder, eventually, servers_with};

use crate::stopped::scripts_run;

/// Locks whose requests may still run when a server that stood still goes on.
fn patient(fleet: &RedisFleet) -> Locks {
    block_on(builder(fleet).node_timeout(Duration::from_secs(60)).build()).unwrap()
}

#[test]
fn a_server_that_goes_on_in_time_belongs_to_the_hold_and_is_released_with_it() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = patient(&fleet);
    fleet.iter().take(2).for_each(|server| server.pause().unwrap());
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    fleet.iter().take(2).for_each(|server| server.resume().unwrap());
    eventually("all five servers have the key", || servers_with(&fleet, "redlock:a") == 5);
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_server_that_goes_on_in_time_keeps_nothing_for_a_caller_that_has_gone() {
    let fleet = RedisFleet::start(5).unwrap();
    let locks = patient(&fleet);
    let before: Vec<_> = fleet.iter().map(scripts_run).collect();
    fleet.iter().take(3).for_each(|server| server.pause().unwrap());
    assert!(locks.lock("a").acquire().now_or_never().is_none(), "two of five are no majority");
    fleet.iter().take(3).for_each(|server| server.resume().unwrap());
    eventually("every server has run the acquire and its release", || {
        fleet.iter().zip(&before).all(|(server, before)| scripts_run(server) >= before + 2)
    });
    assert_no_key_is_left(&fleet);
}
