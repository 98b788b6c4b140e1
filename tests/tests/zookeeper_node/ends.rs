//! How locks end that nobody releases, and what is left of them.

use futures::FutureExt as _;
use redlock_tests::support::eventually;

use super::*;

#[test]
fn what_is_not_extended_ends_and_nothing_is_left_of_it() {
    let ensemble = ZooKeeperEnsemble::start(1).unwrap();
    let (one, two) = (connected(&ensemble, "ends"), connected(&ensemble, "ends"));
    let locks = |prefix: &str| {
        let all = ensemble.ephemerals().unwrap();
        all.into_iter().filter(|path| path.starts_with(prefix) && path.ends_with("/lock")).count()
    };

    // The TTL is over, the session lives on.
    let before = Instant::now();
    granted(acquire(&one, "short", 1, 400));
    granted(acquire(&one, "long", 1, 3_000));
    granted(extend(&one, "short", 1, 600));
    granted(extend(&one, "long", 1, 100));
    eventually("the name is free", || !inspect(&two, "short").held);
    assert!(Instant::now().saturating_since(before) >= millis(600), "it was held for its TTL");
    assert!(inspect(&two, "long").held, "no extension shortens");
    assert_eq!(refused(extend(&one, "short", 1, 400)).reason, RefusalReason::Missing);

    // Abandoned before they were answered.
    for number in 0..20 {
        let mut request = acquisition(&format!("gone-{number}"), number, 200);
        request.deadline = from_now(300);
        drop(Arc::clone(&one).acquire(request).now_or_never());
    }
    assert!(release(&one, "gone-0", 0).unwrap().settled);
    eventually("nothing is left but the lock that is held", || locks("/ends") == 1);

    // Granted at a second try, since what all of them write to had changed meanwhile: not until the deadline (10 s) and the TTL.
    let moving = |number: u8| {
        let node = if number.is_multiple_of(2) { &one } else { &two };
        let mut request = acquisition(&format!("moved-{number}"), number, 200);
        // So many tokens at once that each of them moves what is noted as the highest counter.
        request.fence = Some(Fence::new(0, 40_000_000 * (u64::from(number) + 1), Duration::ZERO));
        Arc::clone(node).acquire(request)
    };
    for reply in block_on(futures::future::join_all((0..20).map(moving))) {
        granted(reply);
    }
    let granted_at = Instant::now();
    eventually("all of them have ended", || locks("/ends") == 1);
    assert!(Instant::now().saturating_since(granted_at) < millis(8_000), "no longer than their TTLs ask for");

    // The session is closed with the node.
    let third = connected(&ensemble, "ends");
    granted(acquire(&third, "dropped", 3, 4_000));
    assert!(is_held(acquire(&two, "dropped", 4, 1_000)));
    let sessions = || ensemble.children("/ends/#redlock:sessions").unwrap().len();
    assert_eq!(sessions(), 3);
    drop(third);
    // Sooner than any timeout.
    let closed = Instant::now();
    eventually("the session is closed", || sessions() == 2);
    assert!(Instant::now().saturating_since(closed) < SESSION - millis(500));
    granted(acquire(&two, "dropped", 4, 1_000));

    // Unused names are swept, and counters rise all the same.
    let mut request = acquisition("swept", 1, 50);
    request.fence = Some(Fence::new(0, 1_000_000, Duration::ZERO));
    let high = granted(block_on(Arc::clone(&one).acquire(request)));
    release(&one, "swept", 1).unwrap();
    let is_there = || ensemble.children("/ends").unwrap().contains(&"swept".to_owned());
    assert!(is_there());
    eventually("an unused counter is removed", || !is_there());
    assert!(granted(acquire(&two, "swept", 2, 1_000)) > high);
    release(&two, "swept", 2).unwrap();
}
