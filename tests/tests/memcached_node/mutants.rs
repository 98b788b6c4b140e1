//! Each safeguard that the node itself enforces is missed when it is switched off.

use crate::{acquire, connected_with, extend, is_granted, is_held, left, release, server, without};

#[test]
fn without_the_owner_check_anybody_can_release() {
    let server = server();
    let node = connected_with(&server, without("release_owner_check"));
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(release(&node, "a", 2).unwrap().was_held);
    assert!(!is_held(&node, "a"));
}

#[test]
fn without_the_owner_check_anybody_can_extend() {
    let server = server();
    let node = connected_with(&server, without("extend_owner_check"));
    assert!(is_granted(&acquire(&node, "a", 1, 1_000)));
    assert!(is_granted(&extend(&node, "a", 2, 60_000)));
    assert!(left(&server, "redlock:a").unwrap() > 10);
}

#[test]
fn without_never_shorten_an_extension_can_shorten() {
    let server = server();
    let node = connected_with(&server, without("never_shorten"));
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(is_granted(&extend(&node, "a", 1, 10_000)));
    assert!(left(&server, "redlock:a").unwrap() < 20);
}
