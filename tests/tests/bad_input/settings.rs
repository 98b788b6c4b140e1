//! Settings that are wrong whatever the servers say.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{AcquireError, BuildError, InvalidName, InvalidQuorum, Locks};
use redlock_tests::support::{builder, connect};

use crate::{refused, urls};

#[test]
fn no_nodes_at_all_are_refused() {
    let error = refused(Locks::builder());
    assert!(matches!(error, BuildError::Quorum(InvalidQuorum::NoNodes)), "{error}");
}

#[test]
fn one_address_given_twice_is_refused() {
    for twin in ["redis://127.0.0.1:7001", "redis://127.0.0.1:7001/0", "redis://user:pw@127.0.0.1:7001"] {
        let error = refused(urls(["redis://127.0.0.1:7001", "redis://127.0.0.1:7002", twin]));
        let BuildError::DuplicateNode { address } = &error else { panic!("{error}") };
        assert_eq!(address, "127.0.0.1:7001");
    }
}

#[test]
fn two_addresses_of_one_server_are_refused() {
    let server = RedisServer::start().unwrap();
    let (first, second) = (server.address(), format!("localhost:{}", server.port()));
    let error =
        refused(Locks::builder().nodes([&first, &second].map(|address| format!("redis://{address}"))));
    assert!(matches!(error, BuildError::SameServer { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&first) && text.contains(&second), "{text}");
}

#[test]
fn two_databases_of_one_server_are_refused() {
    let server = RedisServer::start().unwrap();
    let (first, second) = (server.admin_url(), format!("{}/1", server.admin_url()));
    let error = refused(urls([&first, &second]));
    assert!(matches!(error, BuildError::SameServer { .. }), "{error}");
}

#[test]
fn a_quorum_that_is_no_majority_or_cannot_be_reached_is_refused() {
    let five = || urls(["redis://a", "redis://b", "redis://c", "redis://d", "redis://e"]);
    for quorum in [0, 1, 2, 6, usize::MAX] {
        let error = refused(five().quorum(quorum));
        assert!(matches!(error, BuildError::Quorum(_)), "{error}");
        assert!(error.to_string().contains(&quorum.to_string()), "{error}");
    }
    let fleet = RedisFleet::start(5).unwrap();
    for quorum in 3..=5 {
        let locks = block_on(builder(&fleet).quorum(quorum).build()).unwrap();
        assert_eq!(locks.quorum().size(), quorum);
        block_on(block_on(locks.lock("a").acquire()).unwrap().release()).unwrap();
    }
}

#[test]
fn a_ttl_out_of_range_is_refused_for_all_locks_and_for_one() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = block_on(builder(&fleet).ttl(Duration::from_secs(10)).build()).unwrap();
    for ttl in [Duration::ZERO, Duration::from_millis(9), Duration::MAX] {
        let error = refused(builder(&fleet).ttl(ttl));
        assert!(matches!(error, BuildError::Ttl(_)), "{error}");
        let error = refused(builder(&fleet).max_ttl(ttl));
        assert!(matches!(error, BuildError::Ttl(_)), "{error}");
        let error = block_on(locks.lock("a").ttl(ttl).acquire()).unwrap_err();
        assert!(matches!(error, AcquireError::InvalidTtl(invalid) if invalid.ttl == ttl), "{error}");
        let error = block_on(locks.lock("a").ttl(ttl).try_acquire()).unwrap_err();
        assert!(matches!(error, AcquireError::InvalidTtl(_)), "{error}");
    }
    let (above, max) = (Duration::from_millis(30_001), Duration::from_secs(30));
    let error = block_on(locks.lock("a").ttl(above).acquire()).unwrap_err();
    assert!(
        matches!(error, AcquireError::TtlAboveMax { ttl, max: limit } if ttl == above && limit == max),
        "{error}"
    );
    let error = refused(builder(&fleet).ttl(above).max_ttl(max));
    assert!(matches!(error, BuildError::TtlAboveMax { .. }), "{error}");
    assert!(block_on(locks.lock("a").ttl(max).try_acquire()).unwrap().is_some());
}

#[test]
fn limits_without_end_are_as_good_as_none() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = block_on(builder(&fleet).acquire_interval(Duration::MAX).node_timeout(Duration::MAX).build());
    let lock = locks.unwrap().lock("a").wait_at_most(Duration::MAX).renew_at_most(Duration::MAX);
    let guard = block_on(lock.retries(u32::MAX).acquire()).unwrap();
    assert!(guard.is_valid());
    block_on(guard.release()).unwrap();
}

#[test]
fn a_name_without_bytes_or_with_too_many_is_refused() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = connect(&fleet);
    for (name, expected) in
        [(vec![], InvalidName::Empty), (vec![b'x'; 513], InvalidName::TooLong { len: 513 })]
    {
        let error = block_on(locks.lock(&name).acquire()).unwrap_err();
        assert!(matches!(error, AcquireError::InvalidName(invalid) if invalid == expected), "{error}");
        assert!(block_on(locks.lock(&name).try_acquire()).is_err());
        assert!(block_on(locks.lock(&name).run(async |_| ())).is_err());
    }
    assert!(fleet.iter().all(|server| redlock_tests::support::lock_keys(server).is_empty()));
}

#[test]
fn a_drift_factor_that_is_no_share_is_refused() {
    let five = || urls(["redis://a", "redis://b", "redis://c"]);
    for factor in [f64::NAN, -0.01, -f64::MIN_POSITIVE, 0.51, f64::INFINITY, f64::NEG_INFINITY] {
        let error = refused(five().drift_factor(factor));
        assert!(matches!(error, BuildError::DriftFactor(_)), "{error}");
    }
}

#[test]
fn a_pause_that_would_be_a_busy_loop_is_refused() {
    let nodes = || urls(["redis://a", "redis://b", "redis://c"]);
    for pause in [Duration::ZERO, Duration::from_micros(999)] {
        let error = refused(nodes().acquire_interval(pause));
        assert!(matches!(error, BuildError::TooShort { key: "acquireInterval", .. }), "{error}");
        let error = refused(nodes().node_timeout(pause));
        assert!(matches!(error, BuildError::TooShort { key: "nodeTimeout", .. }), "{error}");
    }
}

#[test]
fn so_many_hand_overs_that_others_would_be_kept_out_are_refused() {
    let nodes = || urls(["redis://a", "redis://b", "redis://c"]);
    for handoff in [257, u32::MAX] {
        let error = refused(nodes().handoff(handoff));
        assert!(matches!(error, BuildError::HandoffTooLarge { most: 256, .. }), "{error}");
    }
}

#[test]
fn an_address_that_is_none_is_refused_without_its_password() {
    for url in [
        "",
        "127.0.0.1:6379",
        "http://u:s3cret@127.0.0.1",
        "redis://u:s3cret@",
        "redis://u:s3cret@127.0.0.1:99999",
        "redis://u:s3cret@127.0.0.1/one",
        "redis+unix:///u:s3cret/sock",
        "redis://u:s3cret@127.0.0.1?db=1",
        "redis://u:s3%zzcret@127.0.0.1#x",
    ] {
        let error = refused(urls([url]));
        assert!(matches!(error, BuildError::Redis(_)), "{url}: {error:?}");
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("cret"), "{text}");
        }
    }
}

#[test]
fn a_prefix_that_is_too_long_is_refused() {
    let error = refused(urls(["redis://127.0.0.1:7001"]).prefix("x".repeat(65)));
    assert!(matches!(error, BuildError::Redis(_)), "{error}");
}
