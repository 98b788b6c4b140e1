//! What the operations do to the keys.

use std::sync::Arc;

use futures::executor::block_on;
use redlock::node::{
    AcquireRequest, Effect, Inspection, Node, NodeErrorKind, OwnerId, RefusalReason, ReleaseRequest, Released,
};
use redlock::{Instant, LockName, Ttl};

use crate::server::{Server, eventually};
use crate::{acquire, connected, extend, from_now, is_granted, millis, name, owner, pttl, refusal, release};

#[test]
fn a_free_name_is_granted_and_a_held_one_is_refused_with_what_is_left() {
    let server = Server::start();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    let left = refusal(acquire(&node, "a", 2, 60_000), RefusalReason::Held).unwrap();
    assert!(left > millis(10_000) && left <= millis(60_000), "{left:?}");
    assert!(is_granted(&acquire(&node, "b", 2, 60_000)), "another name is free");
}

#[test]
fn the_key_is_a_plain_string_with_the_owner_in_hexadecimal_and_a_ttl() {
    let server = Server::start();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 0xab, 60_000)));
    assert_eq!(server.cli(&["TYPE", "redlock:a"]), "string");
    assert_eq!(server.cli(&["GET", "redlock:a"]), "ab".repeat(20));
    assert!((10_000..=60_000).contains(&pttl(&server, "redlock:a")));
    assert_eq!(server.cli(&["DBSIZE"]), "1", "nothing else is written");
}

#[test]
fn the_key_of_another_client_is_respected_and_ours_by_it() {
    let server = Server::start();
    let node = connected(&server);
    assert_eq!(server.cli(&["SET", "redlock:a", "theirs", "NX", "PX", "60000"]), "OK");
    assert!(refusal(acquire(&node, "a", 1, 1_000), RefusalReason::Held).is_some());
    assert_eq!(release(&node, "a", 1).unwrap(), Released::new(false, true));
    assert_eq!(server.cli(&["GET", "redlock:a"]), "theirs");
    assert_eq!(server.cli(&["SET", "redlock:for-ever", "theirs"]), "OK");
    assert_eq!(refusal(acquire(&node, "for-ever", 1, 1_000), RefusalReason::Held), None);
    assert!(is_granted(&acquire(&node, "ours", 1, 60_000)));
    assert_eq!(server.cli(&["SET", "redlock:ours", "theirs", "NX", "PX", "60000"]), "");
}

#[test]
fn an_owner_that_has_the_name_already_is_granted_it_again_with_a_fresh_ttl() {
    let server = Server::start();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 1_000)));
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(pttl(&server, "redlock:a") > 10_000);
    assert!(is_granted(&acquire(&node, "a", 1, 1_000)));
    assert!(pttl(&server, "redlock:a") > 10_000, "and never a shorter one");
}

#[test]
fn an_extension_prolongs_and_never_shortens() {
    let server = Server::start();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 1_000)));
    assert!(is_granted(&extend(&node, "a", 1, 60_000)));
    assert!(pttl(&server, "redlock:a") > 10_000);
    assert!(is_granted(&extend(&node, "a", 1, 1_000)));
    assert!(pttl(&server, "redlock:a") > 10_000);
    server.cli(&["PERSIST", "redlock:a"]);
    assert!(is_granted(&extend(&node, "a", 1, 1_000)));
    assert_eq!(pttl(&server, "redlock:a"), -1);
}

#[test]
fn an_extension_is_refused_to_all_but_the_owner() {
    let server = Server::start();
    let node = connected(&server);
    assert_eq!(refusal(extend(&node, "a", 1, 1_000), RefusalReason::Missing), None);
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(refusal(extend(&node, "a", 2, 120_000), RefusalReason::Held).is_some());
    assert!(pttl(&server, "redlock:a") <= 60_000);
}

#[test]
fn a_release_takes_the_name_from_its_owner_alone() {
    let server = Server::start();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert_eq!(release(&node, "a", 2).unwrap(), Released::new(false, true));
    assert_eq!(server.cli(&["EXISTS", "redlock:a"]), "1");
    assert_eq!(release(&node, "a", 1).unwrap(), Released::new(true, true));
    assert_eq!(server.cli(&["EXISTS", "redlock:a"]), "0");
    assert_eq!(release(&node, "a", 1).unwrap(), Released::new(false, true));
}

#[test]
fn a_release_settles_only_what_can_no_longer_run() {
    let server = Server::start();
    let node = connected(&server);
    // A deadline must have been stated before.
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    let settled_for = |unsettled: Instant| {
        let request = ReleaseRequest::new(name("a"), owner(1), Some(unsettled));
        block_on(Arc::clone(&node).release(request)).unwrap().settled
    };
    assert!(!settled_for(from_now(60_000)));
    let soon = from_now(50);
    eventually("the deadline has passed on the server", || settled_for(soon));
    assert!(!settled_for(from_now(60_000)));
}

#[test]
fn a_look_shows_who_holds_a_name_without_touching_it() {
    let server = Server::start();
    let node = connected(&server);
    let look = |lock: &str| block_on(Arc::clone(&node).inspect(name(lock))).unwrap();
    assert_eq!(look("a"), Inspection::new(false, None));
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    let seen = look("a");
    assert!(seen.held && seen.remaining.unwrap() > millis(10_000));
    server.cli(&["SET", "redlock:b", "x"]);
    assert_eq!(look("b"), Inspection::new(true, None).of_owner(OwnerId::of_stored(b"x"), None));
}

#[test]
fn a_name_may_have_any_bytes() {
    let server = Server::start();
    let node = connected(&server);
    let all: Vec<u8> = (0..=255).collect();
    for bytes in [&all[..], b"\0", b"a b\r\nSET x y", b"{", b"}{}", &[0xff; LockName::MAX_BYTES]] {
        let lock = name(bytes);
        let request = |number| {
            AcquireRequest::new(
                lock.clone(),
                owner(number),
                Ttl::new(millis(60_000)).unwrap(),
                from_now(10_000),
            )
        };
        assert!(is_granted(&block_on(Arc::clone(&node).acquire(request(1)))), "{lock}");
        refusal(block_on(Arc::clone(&node).acquire(request(2))), RefusalReason::Held);
        let released = block_on(Arc::clone(&node).release(ReleaseRequest::new(lock.clone(), owner(1), None)));
        assert!(released.unwrap().was_held, "{lock}");
    }
    assert_eq!(server.cli(&["DBSIZE"]), "0");
}

#[test]
fn a_key_of_another_type_is_an_error_that_leaves_it_alone() {
    let server = Server::start();
    let node = connected(&server);
    server.cli(&["HSET", "redlock:a", "holder", "1"]);
    for error in [
        acquire(&node, "a", 1, 1_000).unwrap_err(),
        extend(&node, "a", 1, 1_000).unwrap_err(),
        release(&node, "a", 1).unwrap_err(),
        block_on(Arc::clone(&node).inspect(name("a"))).unwrap_err(),
    ] {
        assert_eq!((error.kind, error.effect), (NodeErrorKind::WrongType, Effect::None), "{error}");
    }
    assert_eq!(server.cli(&["HGET", "redlock:a", "holder"]), "1");
    assert!(is_granted(&acquire(&node, "b", 1, 1_000)), "the connection is as good as before");
}
