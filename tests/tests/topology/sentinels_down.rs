//! Sentinels that do not answer, or do not know the master.

use futures::executor::block_on;
use redlock::node::{Effect, NodeErrorKind};
use redlock::testing::servers::RedisSentinels;
use redlock::{BuildError, Locks};
use redlock_tests::support::eventually;

use crate::{RedisConfig, acquire, by_sentinels, connected, is_granted, probe};

#[test]
fn one_sentinel_that_answers_is_enough() {
    let sentinels = RedisSentinels::start().unwrap();
    sentinels.sentinel(0).kill();
    sentinels.sentinel(1).pause().unwrap();
    assert!(is_granted(&acquire(&connected(by_sentinels(&sentinels)), "a", 1)));
}

#[test]
fn without_any_sentinel_the_error_says_what_happened_at_each() {
    let sentinels = RedisSentinels::start().unwrap();
    let node = connected(by_sentinels(&sentinels));
    (0..3).for_each(|index| sentinels.sentinel(index).kill());
    let error = probe(by_sentinels(&sentinels)).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Unreachable, Effect::None), "{error}");
    let text = error.to_string();
    assert!(text.contains("no sentinel has named the master `mymaster`"), "{text}");
    for address in sentinels.sentinel_addresses() {
        assert!(text.contains(&format!("{address}: connection refused")), "{text}");
    }
    assert!(is_granted(&acquire(&node, "a", 1)), "who is connected needs no sentinel");
}

#[test]
fn sentinels_that_come_back_are_asked_again() {
    let sentinels = RedisSentinels::start().unwrap();
    (0..3).for_each(|index| sentinels.sentinel(index).kill());
    let node = crate::start(by_sentinels(&sentinels));
    assert!(block_on(std::sync::Arc::clone(&node).probe()).is_err());
    sentinels.sentinel(2).restart().unwrap();
    eventually("it is connected", || is_granted(&acquire(&node, "a", 1)));
}

#[test]
fn a_master_that_no_sentinel_knows_is_a_wrong_setting() {
    let sentinels = RedisSentinels::start().unwrap();
    let config = RedisConfig::sentinel("other", sentinels.sentinel_addresses()).unwrap();
    let error = block_on(Locks::builder().redis(config).build()).unwrap_err();
    assert!(matches!(error, BuildError::Misconfigured { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("no sentinel knows a master called `other`"), "{text}");
    assert!(text.contains("`sentinel monitor`"), "{text}");
}

#[test]
fn a_server_that_is_no_sentinel_is_named() {
    let sentinels = RedisSentinels::start().unwrap();
    let server = sentinels.server(0).address();
    let error = probe(RedisConfig::sentinel("mymaster", [&server]).unwrap()).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains(&format!("{server}: the server refused SENTINEL")), "{error}");
    let error = probe(RedisConfig::from_url(&sentinels.sentinel(0).url()).unwrap()).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Protocol, "and a sentinel is no master: {error}");
}

#[test]
fn a_replica_that_is_named_as_the_master_is_not_used() {
    let sentinels = RedisSentinels::start().unwrap();
    for index in 0..3 {
        let (sentinel, port) = (sentinels.sentinel(index), sentinels.server(1).port().to_string());
        sentinel.command(&["SENTINEL", "REMOVE", "mymaster"]).unwrap();
        sentinel.command(&["SENTINEL", "MONITOR", "mymaster", "127.0.0.1", &port, "3"]).unwrap();
    }
    let error = probe(by_sentinels(&sentinels)).unwrap_err();
    // A sentinel that has seen what the replica says of itself goes back to naming its master.
    assert_eq!(error.kind, NodeErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains(&sentinels.server(1).address()), "{error}");
}
