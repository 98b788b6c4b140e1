//! Each safeguard that a server enforces is missed when it is switched off.

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use redlock::node::{AcquireRequest, Node, NodeError, RefusalReason, Reply};
use redlock::{Instant, Protections, Ttl};

use crate::server::{Server, eventually};
use crate::{
    acquire, connected_with, extend, from_now, is_granted, millis, name, owner, pttl, refusal, release,
};

/// Asks a stopped server and lets it go on when the deadline has passed.
fn acquire_too_late(protections: Protections) -> (Result<Reply, NodeError>, String) {
    let server = Server::start();
    let node = connected_with(&server, protections);
    server.stop();
    let deadline = from_now(50);
    let request = AcquireRequest::new(name("a"), owner(1), Ttl::new(millis(60_000)).unwrap(), deadline);
    let mut reply = Arc::clone(&node).acquire(request);
    assert!((&mut reply).now_or_never().is_none(), "it must be sent, and not answered");
    eventually("the deadline has passed", || Instant::now() > deadline);
    server.go_on();
    (block_on(reply), server.cli(&["EXISTS", "redlock:a"]))
}

#[test]
fn a_request_that_comes_too_late_is_refused_by_the_server() {
    let (reply, exists) = acquire_too_late(Protections::default());
    assert_eq!(refusal(reply, RefusalReason::Stale), None);
    assert_eq!(exists, "0");
}

#[test]
fn without_deadlines_a_ghost_takes_the_lock() {
    let (reply, exists) = acquire_too_late(Protections::without("stale_deadline").unwrap());
    assert!(is_granted(&reply));
    assert_eq!(exists, "1");
}

#[test]
fn an_abandoned_request_is_still_refused_when_it_comes_too_late() {
    let server = Server::start();
    let node = connected_with(&server, Protections::default());
    server.stop();
    let deadline = from_now(50);
    let ttl = Ttl::new(millis(60_000)).unwrap();
    let mut reply = Arc::clone(&node).acquire(AcquireRequest::new(name("a"), owner(1), ttl, deadline));
    assert!((&mut reply).now_or_never().is_none());
    drop(reply);
    eventually("the deadline has passed", || Instant::now() > deadline);
    server.go_on();
    // Answered behind it, on the same connection or a later one.
    eventually("the server answers", || acquire(&node, "b", 2, 60_000).is_ok());
    assert_eq!(server.cli(&["EXISTS", "redlock:a"]), "0");
}

#[test]
fn without_the_owner_check_anybody_can_release() {
    let server = Server::start();
    let node = connected_with(&server, Protections::without("release_owner_check").unwrap());
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(release(&node, "a", 2).unwrap().was_held);
    assert_eq!(server.cli(&["EXISTS", "redlock:a"]), "0");
}

#[test]
fn without_the_owner_check_anybody_can_extend() {
    let server = Server::start();
    let node = connected_with(&server, Protections::without("extend_owner_check").unwrap());
    assert!(is_granted(&acquire(&node, "a", 1, 1_000)));
    assert!(is_granted(&extend(&node, "a", 2, 60_000)));
    assert!(pttl(&server, "redlock:a") > 10_000);
}

#[test]
fn without_never_shorten_an_extension_can_shorten() {
    let server = Server::start();
    let node = connected_with(&server, Protections::without("never_shorten").unwrap());
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(is_granted(&extend(&node, "a", 1, 1_000)));
    assert!(pttl(&server, "redlock:a") <= 1_000);
}
