//! The library's locks over ways with faults.

use std::time::Duration;

use futures::executor::block_on;
use redlock::Locks;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock_tests::network::{Direction, Network};
use redlock_tests::rivals::builder_of;
use redlock_tests::support::{LIMIT, assert_no_key_is_left, eventually};

const TTL: Duration = Duration::from_secs(2);

/// Three nodes and two clients, each with ways of its own.
fn two_clients() -> (RedisFleet, Network, [Locks; 2]) {
    let fleet = RedisFleet::start(3).unwrap();
    let addresses: Vec<_> = fleet.iter().map(RedisServer::address).collect();
    let network = Network::start(&addresses, 2).unwrap();
    let builder = |client| {
        let urls = network.reached_at(client).into_iter().map(|address| format!("redis://{address}"));
        builder_of(urls.collect(), TTL)
    };
    let first = block_on(builder(0).init()).unwrap();
    let second = block_on(builder(1).build()).unwrap();
    (fleet, network, [first, second])
}

#[test]
fn a_client_that_is_cut_off_loses_its_lock_and_another_gets_it() {
    let (fleet, network, [first, second]) = two_clients();
    let held = block_on(first.lock("a").acquire()).unwrap();
    for node in 0..3 {
        network.way(0, node).cut(Direction::Both);
    }
    assert!(held.is_valid(), "still");
    let next = block_on(second.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    assert!(!held.is_valid());
    assert!(next.fencing_token() > held.fencing_token());
    network.ways().for_each(redlock_tests::network::Way::mend);
    eventually("what was held up has arrived", || network.ways().all(|way| way.waiting() == 0));
    assert!(next.is_valid());
    drop(held);
    block_on(next.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_grant_whose_reply_is_lost_on_a_minority_is_released_too() {
    let (fleet, network, [first, second]) = two_clients();
    network.way(0, 2).lose_reply_to("EVALSHA");
    let held = block_on(first.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    eventually("the reply is lost", || !network.way(0, 2).is_losing_a_reply());
    assert!(!matches!(block_on(second.lock("a").try_acquire()), Ok(Some(_))));
    block_on(held.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn a_lock_outlives_resets_of_all_its_ways() {
    let (fleet, network, [first, _second]) = two_clients();
    let held = block_on(first.lock("a").acquire()).unwrap();
    network.ways().for_each(redlock_tests::network::Way::reset);
    let before = held.valid_until();
    eventually("it is renewed", || held.valid_until() > before);
    assert!(held.is_valid());
    block_on(held.release()).unwrap();
    assert_no_key_is_left(&fleet);
}

#[test]
fn locks_are_acquired_over_ways_that_are_late() {
    let (fleet, network, [first, second]) = two_clients();
    for (way, seed) in network.ways().zip(0..) {
        way.delay(Some(Duration::from_millis(1)..Duration::from_millis(30)), seed);
    }
    for locks in [&first, &second, &first] {
        let held = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
        block_on(held.release()).unwrap();
    }
    assert_no_key_is_left(&fleet);
}
