//! What the operations do to keys and leases.

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use redlock::node::{Node, RefusalReason, ReleaseRequest, Released, Reply};
use redlock::testing::servers::EtcdEnsemble;
use redlock::{Instant, Protections};
use redlock_tests::support::eventually;

use crate::{Bench, acquisition, assert_no_lease_is_left, extension, granted, name, owner, refused, seconds};

/// The id of the lease that a key is on.
fn lease_of(ensemble: &EtcdEnsemble, key: &str) -> i64 {
    ensemble.lease_of(key).unwrap().unwrap()
}

#[test]
fn a_lock_is_a_key_on_a_lease_that_nobody_but_its_owner_moves() {
    let ensemble = EtcdEnsemble::start(1).unwrap();
    let bench = Bench::of(&ensemble);

    // A free name is granted, a held one refused with what is left.
    assert_eq!(granted(bench.acquire("a", 0xab, 60_000)), None);
    assert_eq!(ensemble.value("redlock:a").unwrap(), Some("ab".repeat(20)));
    let left = refused(bench.acquire("a", 2, 60_000), RefusalReason::Held).unwrap();
    assert!(left > seconds(30) && left <= seconds(61), "{left:?}");
    let left = bench.inspect("a").remaining.unwrap();
    assert!(left > seconds(30) && left <= seconds(60), "{left:?}");
    assert_eq!(ensemble.lock_keys().unwrap(), ["redlock:a"]);
    // What stands in our way without a lease has no end.
    ensemble.put("redlock:for-ever", "theirs").unwrap();
    assert_eq!(refused(bench.acquire("for-ever", 1, 1_000), RefusalReason::Held), None);
    assert_eq!(bench.release("for-ever", 1).unwrap(), Released::new(false, true));
    assert!(bench.is_held("for-ever"));

    // An extension moves the key to a new lease; the end of the old one takes nothing with it.
    let old = lease_of(&ensemble, "redlock:a");
    assert_eq!(granted(bench.extend("a", 0xab, 120_000)), None);
    let new = lease_of(&ensemble, "redlock:a");
    assert_ne!(old, new);
    eventually("the old lease is revoked", || !ensemble.leases().unwrap().contains(&old));
    assert!(bench.is_held("a"), "the lock is not");
    assert!(bench.inspect("a").remaining.unwrap() > seconds(60));
    // It never shortens, and neither does an acquisition that is repeated.
    granted(bench.extend("a", 0xab, 1_000));
    assert!(bench.inspect("a").remaining.unwrap() > seconds(60));
    granted(bench.acquire("a", 0xab, 1_000));
    assert!(bench.inspect("a").remaining.unwrap() > seconds(60));
    // Nor if nothing is remembered of the lease, as after a restart of the client.
    let another = Bench::of(&ensemble);
    granted(another.extend("a", 0xab, 1_000));
    assert!(another.inspect("a").remaining.unwrap() > seconds(60));
    granted(bench.extend("a", 0xab, 1_000));
    assert!(bench.inspect("a").remaining.unwrap() > seconds(60), "the lease that changed meanwhile is found");

    // Nobody else extends or releases it.
    refused(bench.extend("a", 2, 1_000), RefusalReason::Held);
    refused(bench.restore("a", 2), RefusalReason::Held);
    assert_eq!(bench.release("a", 2).unwrap(), Released::new(false, true));
    assert!(bench.is_held("a"));
    assert_eq!(bench.release("a", 0xab).unwrap(), Released::new(true, true));
    assert_eq!(bench.release("a", 0xab).unwrap(), Released::new(false, true));
    assert!(!bench.is_held("a"));

    // A lock whose lease has ended is gone, and comes back only where that is asked for.
    granted(bench.acquire("lost", 1, 60_000));
    ensemble.revoke(lease_of(&ensemble, "redlock:lost")).unwrap();
    refused(bench.extend("lost", 1, 60_000), RefusalReason::Missing);
    assert!(!bench.is_held("lost"));
    granted(bench.restore("lost", 1));
    assert!(bench.is_held("lost"));
    bench.release("lost", 1).unwrap();
    // One that expires by itself does so within its TTL in whole seconds, and is then another's.
    granted(bench.acquire("short", 1, 100));
    eventually("it expires", || matches!(bench.acquire("short", 2, 60_000), Ok(Reply::Granted(_))));
    refused(bench.extend("short", 1, 60_000), RefusalReason::Held);
    bench.release("short", 2).unwrap();

    // Whoever is too late gets nothing, but may release.
    let mut late = acquisition("late", 1, 60_000);
    late.deadline = Instant::from_nanos(1);
    refused(block_on(bench.node().acquire(late)), RefusalReason::Stale);
    let mut late = extension("late", 1, 60_000);
    late.deadline = Instant::from_nanos(1);
    refused(block_on(bench.node().extend(late)), RefusalReason::Stale);

    // Abandoned at once: it takes effect, and its release behind it, whoever waits.
    for number in 0..10 {
        let mut acquired = bench.node().acquire(acquisition("abandoned", number, 60_000));
        let _ = (&mut acquired).now_or_never();
        drop(acquired);
        let release = ReleaseRequest::new(name("abandoned"), owner(number), Some(Instant::now()));
        let released = block_on(Arc::clone(&bench.node).release(release)).unwrap();
        assert!(released.settled, "{released:?}");
    }
    assert!(!bench.is_held("abandoned"));
    assert_no_lease_is_left(&ensemble);
    assert_eq!(ensemble.lock_keys().unwrap(), ["redlock:for-ever"]);
}

#[test]
fn without_a_safeguard_it_does_what_that_keeps_it_from() {
    let ensemble = EtcdEnsemble::start(1).unwrap();
    let bench = Bench::of(&ensemble);
    let without = |name: &str| {
        let config = redlock::backend::etcd::EtcdConfig::from_url(&ensemble.url()).unwrap();
        let protections = Protections::without(name).unwrap();
        Bench::start(config, redlock::testing::real_env().unwrap(), protections)
    };
    granted(bench.acquire("a", 1, 60_000));
    assert!(without("release_owner_check").release("a", 2).unwrap().was_held);
    assert!(!bench.is_held("a"));
    granted(bench.acquire("b", 1, 60_000));
    granted(without("never_shorten").extend("b", 1, 1_000));
    assert!(bench.inspect("b").remaining.unwrap() < seconds(30));
    granted(bench.acquire("c", 1, 60_000));
    granted(without("extend_owner_check").extend("c", 2, 60_000));
    refused(bench.extend("c", 1, 60_000), RefusalReason::Held);
    let mut late = acquisition("d", 1, 60_000);
    late.deadline = Instant::from_nanos(1);
    // It is given up at once, but not refused.
    assert!(block_on(without("stale_deadline").node().acquire(late)).is_err());
}
