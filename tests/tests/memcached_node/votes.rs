//! Who gets a lock, and for how long.

use std::sync::Arc;

use futures::executor::block_on;
use redlock::Instant;
use redlock::node::{Node, NodeErrorKind, RefusalReason, Released};
use redlock_tests::support::eventually;

use crate::{
    acquire, ask, connected, extend, extension, is_granted, is_held, left, millis, name, owner, refusal,
    release, server,
};

#[test]
fn one_owner_has_a_lock_and_nobody_else_can_change_that() {
    let server = server();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    let remaining = refusal(acquire(&node, "a", 2, 60_000), RefusalReason::Held).unwrap();
    assert!(remaining >= millis(59_000) && remaining <= millis(63_000), "{remaining:?}");
    refusal(extend(&node, "a", 2, 90_000), RefusalReason::Held);
    assert_eq!(release(&node, "a", 2).unwrap(), Released::new(false, true));
    assert!(is_held(&node, "a"));
    // As due would have it: flags 0, and the token as text.
    let value = server.talk("get redlock:a\r\n", "END\r\n").unwrap();
    assert_eq!(value, format!("VALUE redlock:a 0 40\r\n{}\r\nEND\r\n", "01".repeat(20)));

    assert_eq!(release(&node, "a", 1).unwrap(), Released::new(true, true));
    assert_eq!(release(&node, "a", 1).unwrap(), Released::new(false, true));
    assert!(!is_held(&node, "a"));
    refusal(extend(&node, "a", 1, 60_000), RefusalReason::Missing);
    assert!(is_granted(&acquire(&node, "a", 2, 60_000)));

    // Names that memcached has no keys for.
    for odd in ["two words", "line\r\nflush_all", "#redlock:marker", &"x".repeat(500)] {
        assert!(is_granted(&acquire(&node, odd, 1, 60_000)), "{odd}");
        refusal(acquire(&node, odd, 2, 60_000), RefusalReason::Held);
        assert!(release(&node, odd, 1).unwrap().was_held);
    }
    assert!(is_held(&node, "a"));
}

#[test]
fn who_has_it_is_granted_again_and_loses_no_time() {
    let server = server();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(is_granted(&acquire(&node, "a", 1, 1_000)));
    assert!(left(&server, "redlock:a").unwrap() > 50);
    assert!(is_granted(&acquire(&node, "a", 1, 100_000)));
    assert!(left(&server, "redlock:a").unwrap() > 90);
    assert!(is_granted(&extend(&node, "a", 1, 1_000)));
    assert!(left(&server, "redlock:a").unwrap() > 90);
    // However often: it creeps no further than asked for.
    for _ in 0..20 {
        assert!(is_granted(&extend(&node, "a", 1, 200_000)));
    }
    assert!((200..=206).contains(&left(&server, "redlock:a").unwrap()));
}

#[test]
fn a_lock_lives_for_its_ttl_at_least_and_then_ends() {
    let server = server();
    let node = connected(&server);
    // At four phases of the server's clock, which ticks once a second.
    let mut held = Vec::new();
    for index in 0..4_u64 {
        let lock = format!("lock-{index}");
        let sent = Instant::now();
        assert!(is_granted(&acquire(&node, &lock, 1, 1_000)));
        held.push((lock, sent));
        std::thread::sleep(millis(251));
    }
    assert!(is_granted(&acquire(&node, "short", 1, 10)));
    assert!(left(&server, "redlock:short").unwrap() >= 1, "it has an end, and not at once");
    eventually("all have ended", || {
        held.retain(|(lock, sent)| {
            let is_there = is_held(&node, lock);
            let lived = Instant::now().saturating_since(*sent);
            assert!(is_there || lived >= millis(1_000), "it lived for {lived:?}");
            is_there
        });
        held.is_empty()
    });
}

#[test]
fn a_ttl_that_memcached_cannot_keep_is_refused() {
    let server = server();
    let node = connected(&server);
    let days = |days: u64| days * 86_400_000;
    assert_eq!(node.abilities().longest_ttl, Some(millis(days(30))));
    for reply in [acquire(&node, "a", 1, days(30) + 1), extend(&node, "a", 1, days(365))] {
        let error = reply.unwrap_err();
        assert_eq!(error.kind, NodeErrorKind::Unsupported);
        assert!(error.to_string().contains("30 days"), "{error}");
    }
    assert!(is_granted(&acquire(&node, "a", 1, days(30))));
    refusal(acquire(&node, "a", 2, days(30)), RefusalReason::Held);
    assert!(left(&server, "redlock:a").unwrap() >= 30 * 86_400);
}

#[test]
fn a_lock_is_restored_only_where_nobody_has_it() {
    let server = server();
    let node = connected(&server);
    let restore = |number| {
        let mut request = extension("a", number, 60_000);
        request.restore = true;
        block_on(Arc::clone(&node).extend(request))
    };
    assert!(is_granted(&restore(1)));
    assert!(is_granted(&restore(1)));
    refusal(restore(2), RefusalReason::Held);
    assert!(release(&node, "a", 1).unwrap().was_held);
    assert!(is_granted(&restore(2)));
}

#[test]
fn a_restarted_server_gives_out_the_same_cas_values_and_nobody_is_taken_for_another() {
    let server = server();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    let cas = |server| ask(server, "mg redlock:a c");
    let before = cas(&server);
    server.restart().unwrap();
    eventually("it is connected again", || is_granted(&acquire(&node, "a", 2, 60_000)));
    assert_eq!(cas(&server), before, "the trap is there");
    refusal(extend(&node, "a", 1, 90_000), RefusalReason::Held);
    assert!(!release(&node, "a", 1).unwrap().was_held);
    assert!(is_held(&node, "a"));
}

#[test]
fn what_others_keep_under_the_name_of_a_lock_is_left_alone() {
    let server = server();
    let node = connected(&server);
    let long = "x".repeat(100_000);
    server.talk(&format!("set redlock:a 0 0 {}\r\n{long}\r\n", long.len()), "\r\n").unwrap();
    assert_eq!(refusal(acquire(&node, "a", 1, 60_000), RefusalReason::Held), None);
    assert!(!release(&node, "a", 1).unwrap().was_held);
    server.talk("set #redlock:aux:redlock:b 0 0 3\r\nabc\r\n", "\r\n").unwrap();
    let error = block_on(Arc::clone(&node).inspect(name("b"))).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::WrongType);
    assert!(error.to_string().contains("delete #redlock:aux:redlock:b"), "{error}");
    assert!(!format!("{node:?} {error:?}").contains(&owner(1).to_hex()));
}
