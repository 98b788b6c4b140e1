//! Servers that are stopped (SIGSTOP), and run what has queued up when they go on.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::executor::block_on;
use redlock::node::{AcquireRequest, Effect, Node, ReleaseRequest, Reply};
use redlock::testing::servers::MemcachedServer;
use redlock::{Instant, Protections};
use redlock_tests::support::eventually;

use crate::{
    acquire, acquisition, connected, connected_with, from_now, is_granted, is_held, millis, name, owner,
    server, without,
};

/// Whether requests wait in the kernel for this server.
fn has_unread_requests(server: &MemcachedServer) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{:04X}", server.port());
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Local address, state "established", and what is unread.
        fields[1].ends_with(&local) && fields[3] == "01" && !fields[4].ends_with(":00000000")
    })
}

/// A request that comes to a server which has been stopped for longer than the TTL, and is run when it goes on, by a clock that has not ticked
/// yet. Returns whether another owner gets the lock while the first one believes in it.
fn queued_add(server: &MemcachedServer, protections: Protections) -> bool {
    let node = connected_with(server, protections);
    let other = connected_with(server, protections);
    let stopped = Instant::now();
    server.pause().unwrap();
    // The fault itself: its clock must fall behind by more than the TTL.
    while Instant::now() < stopped.saturating_add(millis(1_300)) {
        std::thread::sleep(millis(20));
    }
    let started = Instant::now();
    let mut first = Arc::clone(&node).acquire(acquisition("a", 1, 1_000));
    assert!((&mut first).now_or_never().is_none(), "it is sent, and not answered");
    eventually("it has come there", || has_unread_requests(server));
    server.resume().unwrap();
    let valid_until = started.saturating_add(millis(1_000));
    if !is_granted(&block_on(first)) || Instant::now() >= valid_until {
        return false;
    }
    // The first one holds it now. Nobody else may, until its validity ends.
    let mut number = 1;
    loop {
        number = 2 + number % 200;
        let reply = acquire(&other, "a", number, 1_000);
        // The clock is read behind the answer: what comes too late proves nothing.
        if Instant::now() >= valid_until {
            return false;
        }
        if is_granted(&reply) {
            return true;
        }
    }
}

#[test]
fn a_request_that_a_stopped_server_runs_late_makes_no_two_holders() {
    let server = server();
    assert!(!queued_add(&server, Protections::default()));
}

#[test]
fn with_relative_ends_there_are_two_holders() {
    // Which of its threads comes first when it goes on is a matter of luck.
    let found = (0..20).any(|_| queued_add(&server(), without("stale_deadline")));
    assert!(found, "the safeguard is not missed: this test proves nothing");
}

#[test]
fn a_request_that_was_never_answered_is_settled_when_its_lock_would_have_ended_and_not_before() {
    let server = server();
    let node = connected(&server);
    let deadline = from_now(30_000);
    server.pause().unwrap();
    let lost = |lock: &str, lasts| {
        let request = AcquireRequest::new(name(lock), owner(1), crate::ttl(lasts), deadline);
        let mut reply = Arc::clone(&node).acquire(request);
        assert!((&mut reply).now_or_never().is_none());
        reply
    };
    // Of an owner of its own: what is remembered is remembered by owners.
    let long = lost("long", 60_000);
    let mut short =
        Arc::clone(&node).acquire(AcquireRequest::new(name("short"), owner(2), crate::ttl(10), deadline));
    assert!((&mut short).now_or_never().is_none());
    // The connection is closed, since nothing is answered.
    assert_eq!(block_on(long).unwrap_err().effect, Effect::Unknown);
    assert_eq!(block_on(short).unwrap_err().effect, Effect::Unknown);
    server.resume().unwrap();
    let release = |lock: &str, number| {
        let request = ReleaseRequest::new(name(lock), owner(number), Some(deadline));
        block_on(Arc::clone(&node).release(request))
    };
    eventually("it is connected again", || is_granted(&acquire(&node, "other", 9, 60_000)));
    assert!(!release("long", 1).unwrap().settled, "it may still lie in a buffer");
    assert!(release("other", 9).unwrap().settled, "that one was answered");
    eventually("its end has passed", || release("short", 2).unwrap().settled);
    assert!(!release("long", 1).unwrap().settled);
    assert!(!is_held(&node, "short"));
}

#[test]
fn a_dropped_request_is_run_and_a_later_release_does_not_overtake_it() {
    let server = server();
    let node = connected(&server);
    for number in 0..50 {
        let mut reply = Arc::clone(&node).acquire(acquisition("a", number, 60_000));
        let early: Option<Result<Reply, _>> = (&mut reply).now_or_never();
        drop(reply);
        let release = ReleaseRequest::new(name("a"), owner(number), Some(from_now(30_000)));
        let released = block_on(Arc::clone(&node).release(release)).unwrap();
        assert!(released.was_held && released.settled, "{released:?} {early:?}");
    }
    assert!(!is_held(&node, "a"));
}
