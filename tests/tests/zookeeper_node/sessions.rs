//! What becomes of a holder that is cut off, and of requests that come late.

use futures::FutureExt;
use redlock::Locks;
use redlock::node::{Effect, NodeErrorKind};
use redlock_tests::network::{Direction, Network};
use redlock_tests::support::eventually;

use super::*;

#[test]
fn a_holder_that_is_cut_off_has_lost_the_lock_before_anybody_else_is_granted_it() {
    let ensemble = ZooKeeperEnsemble::start(1).unwrap();
    let network = Network::start(&ensemble.addresses(), 1).unwrap();
    let way = network.way(0, 0);
    let through = || {
        let config = ZooKeeperConfig::new(network.reached_at(0)).unwrap().prefix("cut");
        config.touch_delay(TOUCH_DELAY).session_timeout(millis(4_000)).connect_timeout(millis(1_000))
    };
    let other = connected(&ensemble, "cut");

    // What was given up while the way was cut may come late: it leaves nothing, although nobody releases it.
    let late = start(through());
    block_on(Arc::clone(&late).probe()).unwrap();
    way.cut(Direction::Requests);
    let mut request = acquisition("late", 1, 300);
    request.deadline = from_now(200);
    let error = block_on(Arc::clone(&late).acquire(request)).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Timeout, Effect::Unknown));
    way.mend();
    drop(late);

    let locks = block_on(
        Locks::builder()
            .zookeeper(through())
            .ttl(millis(1_500))
            .max_ttl(millis(2_000))
            .node_timeout(millis(400))
            .build(),
    )
    .unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let first = guard.fencing_token().unwrap().get();

    // Held for longer than the first proof that its session lives would carry it.
    let steady = start(config(&ensemble, "steady").touch_delay(millis(250)).session_timeout(millis(1_200)));
    let began = Instant::now();
    granted(acquire(&steady, "s", 1, 500));
    while Instant::now().saturating_since(began) < millis(2_500) {
        granted(extend(&steady, "s", 1, 500));
        std::thread::sleep(millis(150));
    }
    assert!(guard.is_valid(), "renewed meanwhile, too");

    way.cut(Direction::Both);
    let granted_at = loop {
        let asked = Instant::now();
        match acquire(&other, "a", 2, 3_000).unwrap() {
            Reply::Granted(grant) => {
                assert!(grant.counter.unwrap() > first);
                break asked;
            }
            Reply::Refused(refusal) => assert_eq!(refusal.reason, RefusalReason::Held),
        }
        std::thread::sleep(millis(20));
    };
    assert!(guard.lost().now_or_never().flatten().is_some(), "it has been told");
    assert!(granted_at >= guard.valid_until(), "{granted_at:?} < {:?}", guard.valid_until());

    way.mend();
    assert!(block_on(guard.extend()).is_err(), "what is lost stays lost");
    assert!(block_on(guard.release()).is_err());
    eventually("a new session is there", || {
        block_on(locks.lock("b").try_acquire()).is_ok_and(|held| held.is_some())
    });
    let look = inspect(&other, "a");
    assert!(look.held, "no release touches what another has");
    granted(extend(&other, "a", 2, 3_000));
    drop(locks);
    eventually("only one lock is left", || {
        ensemble
            .ephemerals()
            .unwrap()
            .iter()
            .filter(|path| path.starts_with("/cut") && path.ends_with("/lock"))
            .count()
            == 1
    });
}
