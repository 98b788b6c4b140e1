//! Who waits is told when a lock becomes free, whoever frees it.

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use redlock::node::{Node, NodeError, Watch};
use redlock::testing::servers::EtcdEnsemble;
use redlock_tests::support::eventually;

use crate::{Bench, granted, name};

/// A watch that stands.
fn watch(bench: &Bench, lock: &str) -> Watch {
    block_on(Arc::clone(&bench.node).watch(name(lock))).unwrap()
}

fn eventually_told(what: &str, mut watch: Watch) -> Result<(), NodeError> {
    let mut told = None;
    eventually(what, || {
        told = (&mut watch).now_or_never();
        told.is_some()
    });
    told.unwrap()
}

#[test]
fn a_waiter_is_told_when_the_lock_becomes_free_or_that_nobody_can_tell() {
    let ensemble = EtcdEnsemble::start(1).unwrap();
    let (bench, other) = (Bench::of(&ensemble), Bench::of(&ensemble));
    assert!(watch(&bench, "free").now_or_never().unwrap().is_ok());

    for lock in ["released", "expired", "held", "dropped"] {
        granted(other.acquire(lock, 1, 60_000));
    }
    let [mut released, expired, mut held, dropped] =
        ["released", "expired", "held", "dropped"].map(|lock| watch(&bench, lock));
    drop(dropped);
    let again = watch(&bench, "released");
    assert!((&mut released).now_or_never().is_none());
    other.release("released", 1).unwrap();
    eventually_told("a release is told", released).unwrap();
    eventually_told("to everybody", again).unwrap();
    ensemble.revoke(ensemble.lease_of("redlock:expired").unwrap().unwrap()).unwrap();
    eventually_told("the end of a lease is told", expired).unwrap();
    // An extension is no end, and another name's release neither.
    granted(other.extend("held", 1, 120_000));
    other.release("dropped", 1).unwrap();
    // The stream has brought what came before.
    granted(other.acquire("marker", 1, 60_000));
    let marker = watch(&bench, "marker");
    other.release("marker", 1).unwrap();
    eventually_told("the marker is told", marker).unwrap();
    assert!((&mut held).now_or_never().is_none());

    // With the server the watch is gone, and says so; the next one stands.
    ensemble.member(0).kill();
    assert!(eventually_told("the watch has ended", held).is_err());
    ensemble.member(0).restart().unwrap();
    let mut stands = None;
    eventually("a watch stands again", || {
        stands = block_on(Arc::clone(&bench.node).watch(name("held"))).ok();
        stands.is_some()
    });
    let mut stands = stands.unwrap();
    eventually("it is released, and that is told", || {
        drop(other.release("held", 1));
        if matches!((&mut stands).now_or_never(), Some(Err(_))) {
            stands = watch(&bench, "held");
        }
        !bench.is_held("held")
    });
}
