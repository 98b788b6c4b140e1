//! One server, and the contract of a node.

use redlock::node::{FindingKind, LateRequests, NodeErrorKind};

use super::*;

#[test]
fn a_name_is_granted_to_one_owner_at_a_time_and_its_counter_rises() {
    let ensemble = ZooKeeperEnsemble::start(1).unwrap();
    let (one, two) = (connected(&ensemble, "votes"), connected(&ensemble, "votes"));

    let first = granted(acquire(&one, "a", 1, 2_000));
    assert_eq!(granted(acquire(&one, "a", 1, 2_000)), first, "asked again, it does not count up");
    let refusal = refused(acquire(&two, "a", 2, 2_000));
    assert_eq!(refusal.reason, RefusalReason::Held);
    assert!(refusal.remaining.is_some_and(|left| left <= millis(2_100)), "{refusal:?}");
    let look = inspect(&two, "a");
    assert_eq!((look.held, look.counter), (true, Some(first)));

    granted(extend(&one, "a", 1, 2_000));
    assert!(is_held(extend(&two, "a", 2, 2_000)));
    assert_eq!(refused(extend(&two, "nobody", 2, 2_000)).reason, RefusalReason::Missing);
    assert_eq!(granted(raise(&one, "a", 1, first + 10)), first + 10);
    assert_eq!(granted(raise(&one, "a", 1, 1)), first + 10);
    assert!(is_held(raise(&two, "a", 2, 1)));

    assert_eq!(release(&two, "a", 2).unwrap(), Released::new(false, true), "it touches nobody else's");
    assert_eq!(release(&one, "a", 1).unwrap(), Released::new(true, true));
    assert_eq!(release(&one, "a", 1).unwrap(), Released::new(false, true));
    assert!(!inspect(&one, "a").held);
    assert!(granted(acquire(&two, "a", 3, 2_000)) > first + 10);
    // With its token, another client of the same owner may go on with it: the lock moves into that one's session.
    granted(extend(&one, "a", 3, 2_000));
    drop(two);
    assert!(inspect(&one, "a").held);
    assert_eq!(release(&one, "a", 3).unwrap(), Released::new(true, true));

    let mut restore = ExtendRequest::new(name("r"), owner(5), ttl(1_000), from_now(10_000));
    (restore.restore, restore.fence) = (true, Some(Raise::new(77, millis(600_000))));
    assert_eq!(granted(block_on(Arc::clone(&one).extend(restore))), 77);
    assert!(is_held(acquire(&one, "r", 6, 1_000)));
    assert!(granted(acquire(&one, "r2", 6, 1_000)) > 0);

    let late = AcquireRequest::new(name("late"), owner(1), ttl(1_000), from_now(0));
    match block_on(Arc::clone(&one).acquire(late)) {
        Ok(Reply::Refused(refusal)) => assert_eq!(refusal.reason, RefusalReason::Stale),
        Err(error) => assert_eq!(error.kind, NodeErrorKind::Timeout),
        granted => panic!("{granted:?}"),
    }

    let identity = block_on(Arc::clone(&one).probe()).unwrap();
    assert!(
        identity.version.is_some_and(|version| version.starts_with(|digit: char| digit.is_ascii_digit()))
    );
    assert!(identity.instance.is_some_and(|id| id.len() == 40));
    assert!(identity.ceiling.is_some_and(|ceiling| ceiling >= first + 11));
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let clock = one.clock().unwrap().at(Instant::now());
    assert!(clock.abs_diff(wall.as_micros() as u64) < 5_000_000, "{clock}");
    let found = block_on(Arc::clone(&one).examine()).unwrap();
    assert!(matches!(found.findings[0], FindingKind::Version { .. }), "{found:?}");
    let abilities = one.abilities();
    assert_eq!(abilities.late_requests, LateRequests::EndsInTime);
    assert_eq!(abilities.longest_ttl, Some(millis(6_000 - 1_800)));

    let error = acquire(&one, "long", 1, 5_000).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Unsupported);
    assert!(error.detail.contains("6s") && error.detail.contains("6.8s"), "{error}");
    let capped = start(config(&ensemble, "votes").session_timeout(Duration::from_secs(120)));
    let error = acquire(&capped, "long", 1, 100_000).unwrap_err();
    assert!(error.detail.contains("60s") && error.detail.contains("maxSessionTimeout"), "{error}");

    for odd in [
        &b"a/b"[..],
        b".",
        b"..",
        b"zookeeper",
        b"#redlock:id",
        b"\xff\x00",
        "\u{1f512}".as_bytes(),
        &[b'%'; 512],
    ] {
        let request = AcquireRequest::new(name(odd), owner(9), ttl(1_000), from_now(10_000));
        granted(block_on(Arc::clone(&one).acquire(request)));
        let request = AcquireRequest::new(name(odd), owner(8), ttl(1_000), from_now(10_000));
        assert!(is_held(block_on(Arc::clone(&one).acquire(request))));
    }
    assert_eq!(ensemble.children("/").unwrap(), ["votes", "zookeeper"]);
}
