//! Each safeguard that only several servers can show is missed when it is switched off.

use std::sync::Arc;

use futures::executor::block_on;
use redlock::Protections;
use redlock::testing::servers::{RedisSentinels, RedisServer};
use redlock_tests::support::eventually;

use crate::accounting::{is_settled, unanswered_by_a_former_master};
use crate::{by_sentinels, from_now, rename, run_id, start_with};

#[test]
fn without_a_look_elsewhere_a_request_that_may_still_run_is_taken_for_settled() {
    let without = Protections::without("settle_everywhere").unwrap();
    let (_cluster, node, lock) = unanswered_by_a_former_master(without);
    let later = from_now(120_000);
    eventually("the new master answers", || is_settled(&node, &lock, later).is_some());
    // It is still in the queue of the master that stands still.
    assert_eq!(is_settled(&node, &lock, later), Some(true));
}

/// Whom a node follows while one sentinel is stale, and the others do not answer until it has begun to ask.
fn followed(protections: Protections, others_answer: bool) -> (bool, bool) {
    let sentinels = RedisSentinels::start().unwrap();
    let stale = RedisServer::start().unwrap();
    rename(&sentinels, 0, &stale);
    let others = [1, 2].map(|index| sentinels.sentinel(index));
    others.iter().for_each(|sentinel| sentinel.pause().unwrap());
    let node = start_with(by_sentinels(&sentinels), protections);
    if others_answer {
        others.iter().for_each(|sentinel| sentinel.resume().unwrap());
    }
    let instance = block_on(Arc::clone(&node).probe()).unwrap().instance.unwrap();
    (instance == run_id(&stale), instance == run_id(sentinels.server(0)))
}

#[test]
fn the_master_that_most_sentinels_name_is_followed_although_another_is_named_first() {
    assert_eq!(followed(Protections::default(), true), (false, true));
}

#[test]
fn without_a_majority_a_stale_sentinel_is_believed() {
    let without = Protections::without("sentinel_majority").unwrap();
    assert_eq!(followed(without, false), (true, false));
}
