//! Whole locks: on one ensemble, and on a quorum of different stores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::{EtcdEnsemble, RedisFleet};
use redlock::{Locks, LocksBuilder};
use redlock_tests::support::eventually;

const CLIENTS: u64 = 3;
const TURNS: u64 = 8;

fn builder() -> LocksBuilder {
    Locks::builder().node_timeout(Duration::from_secs(1))
}

#[test]
fn clients_of_an_ensemble_take_turns_and_their_tokens_rise() {
    let ensemble = EtcdEnsemble::start(1).unwrap();
    let connect =
        || block_on(builder().nodes([ensemble.url()]).ttl(Duration::from_secs(30)).build()).unwrap();
    // Two steps, so that clients that hold the lock at the same time lose an update.
    let (value, last) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let locks = connect();
                for _ in 0..TURNS {
                    let guard = block_on(locks.lock("counter").acquire()).unwrap();
                    let seen = value.load(Ordering::SeqCst);
                    let token = guard.fencing_token().unwrap().get();
                    assert!(token > last.swap(token, Ordering::SeqCst), "tokens rise");
                    thread::yield_now();
                    value.store(seen + 1, Ordering::SeqCst);
                    block_on(guard.release()).unwrap();
                }
            });
        }
    });
    assert_eq!(value.into_inner(), CLIENTS * TURNS);

    // A lock that is held is renewed: it moves from lease to lease.
    let locks = block_on(builder().nodes([ensemble.url()]).ttl(Duration::from_secs(2)).build()).unwrap();
    let guard = block_on(locks.lock("renewed").acquire()).unwrap();
    let first = ensemble.lease_of("redlock:renewed").unwrap();
    eventually("it is renewed", || ensemble.lease_of("redlock:renewed").unwrap() != first);
    assert!(guard.is_valid());
    block_on(guard.release()).unwrap();
    eventually("nothing is left", || {
        ensemble.lock_keys().unwrap().is_empty() && ensemble.lock_leases().unwrap().is_empty()
    });
}

#[test]
fn tokens_of_a_quorum_of_redis_and_etcd_rise_whichever_is_away() {
    let redis = RedisFleet::start(2).unwrap();
    let ensemble = EtcdEnsemble::start(1).unwrap();
    let nodes: Vec<_> = redis.urls().into_iter().chain([ensemble.url()]).collect();
    // A Redis that was restarted would not vote for the longest TTL.
    let builder = builder().restart_guard(false);
    let locks = block_on(builder.nodes(nodes).ttl(Duration::from_secs(30)).build()).unwrap();
    let mut last = 0;
    let mut turn = |when: &str| {
        let guard = block_on(locks.lock("mixed").wait_at_most(Duration::from_secs(20)).acquire()).unwrap();
        let token = guard.fencing_token().unwrap().get();
        assert!(token > last, "{when}: {token} after {last}");
        last = token;
        block_on(guard.release()).unwrap();
    };
    turn("with all");
    redis.server(0).kill();
    turn("without a Redis");
    redis.server(0).restart().unwrap();
    turn("with all again");
    ensemble.member(0).kill();
    turn("without etcd");
    ensemble.member(0).restart().unwrap();
    redis.server(1).kill();
    turn("with etcd again, without another Redis");
    assert!(ensemble.keys().unwrap().contains(&"#redlock:aux:redlock:mixed".to_owned()));
}
