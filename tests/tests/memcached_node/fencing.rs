//! Fencing counters.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::memcached::MemcachedNode;
use redlock::node::{Fence, Node, NodeError, Raise, RaiseRequest, RefusalReason, Reply};
use redlock::testing::servers::MemcachedServer;

use crate::{
    acquisition, ask, connected, connected_with, counter, extension, from_now, is_granted, left, name, owner,
    refusal, release, server, ttl, without,
};

const RETENTION: Duration = Duration::from_secs(600);

fn fenced(
    node: &Arc<MemcachedNode>,
    lock: &str,
    number: u8,
    hint: u64,
    span: u64,
) -> Result<Reply, NodeError> {
    let fence = Some(Fence::new(hint, span, RETENTION));
    let mut request = acquisition(lock, number, 60_000);
    request.fence = fence;
    block_on(Arc::clone(node).acquire(request))
}

fn raise(node: &Arc<MemcachedNode>, number: u8, to: u64) -> Result<Reply, NodeError> {
    let request =
        RaiseRequest::new(name("a"), owner(number), ttl(60_000), from_now(30_000), Raise::new(to, RETENTION));
    block_on(Arc::clone(node).raise(request))
}

fn now(server: &MemcachedServer) -> u64 {
    let stats = server.talk("stats\r\n", "END\r\n").unwrap();
    let time = stats.lines().find_map(|line| line.strip_prefix("STAT time ")).unwrap();
    time.trim().parse::<u64>().unwrap() * 1_000_000
}

#[test]
fn counters_rise_with_each_owner_and_outlive_the_lock() {
    let server = server();
    let node = connected(&server);
    let hint = now(&server);
    let first = counter(fenced(&node, "a", 1, hint, 3));
    assert!(first >= hint - 3_000_000 && first <= hint + 60_000_000, "{first} for {hint}");
    assert_eq!(counter(fenced(&node, "a", 1, hint, 3)), first, "a repetition counts once");
    assert!(release(&node, "a", 1).unwrap().was_held);
    assert!(left(&server, "#redlock:aux:redlock:a").unwrap() >= 660);
    let second = counter(fenced(&node, "a", 2, 0, 3));
    assert_eq!(second, first + 3);
    assert_eq!(counter(raise(&node, 2, second + 5)), second + 5);
    assert_eq!(counter(raise(&node, 2, 1)), second + 5);
    refusal(raise(&node, 1, second + 9), RefusalReason::Held);
    let raise = Some(Raise::new(second + 7, RETENTION));
    let mut request = extension("a", 2, 60_000);
    request.fence = raise;
    assert_eq!(counter(block_on(Arc::clone(&node).extend(request))), second + 7);
    assert_eq!(block_on(Arc::clone(&node).inspect(name("a"))).unwrap().counter, Some(second + 7));

    // A counter that was lost is begun anew, by the server's time.
    ask(&server, "delete #redlock:aux:redlock:a");
    assert!(counter(fenced(&node, "a", 2, hint, 1)) >= hint - 3_000_000);
    assert_eq!(
        fenced(&node, "b", 1, hint, u64::MAX).map(|reply| matches!(reply, Reply::Refused(_))).ok(),
        Some(true)
    );
    assert!(!crate::is_held(&node, "b"), "without a token nothing is held");
}

#[test]
fn a_lock_that_was_stored_without_its_counter_is_not_granted_with_the_token_of_the_holder_before() {
    let server = server();
    let node = connected(&server);
    let before = counter(fenced(&node, "a", 1, now(&server), 1));
    assert!(release(&node, "a", 1).unwrap().was_held);
    // The next owner's client was cut off between the two.
    let token = owner(2).to_hex();
    server.talk(&format!("add redlock:a 0 60 40\r\n{token}\r\n"), "\r\n").unwrap();
    assert!(counter(fenced(&node, "a", 2, 0, 1)) > before);
}

#[test]
fn a_hint_that_is_an_hour_off_is_followed_for_a_few_seconds_at_most() {
    let server = server();
    let (node, hour) = (connected(&server), 3_600_000_000);
    let ahead = |node, lock: &str| counter(fenced(node, lock, 1, now(&server) + hour, 1));
    let clamped = ahead(&node, "a");
    assert!(clamped < now(&server) + 10_000_000);
    let mutant = connected_with(&server, without("fence_clamp"));
    assert!(ahead(&mutant, "b") > now(&server) + hour / 2);
}

#[test]
fn without_fence_once_a_repetition_counts_again() {
    let server = server();
    let node = connected_with(&server, without("fence_once"));
    let first = counter(fenced(&node, "a", 1, now(&server), 1));
    assert!(counter(fenced(&node, "a", 1, 0, 1)) > first);
}

#[test]
fn many_owners_in_turn_never_get_a_token_twice() {
    let server = server();
    let nodes = [connected(&server), connected(&server)];
    let hint = now(&server);
    let mut last = 0;
    for round in 0..100_u8 {
        let node = &nodes[usize::from(round % 2)];
        let reply = fenced(node, "a", round, hint, 2);
        assert!(is_granted(&reply));
        let token = counter(reply);
        assert!(token >= last + 2 || last == 0, "{token} behind {last}");
        last = token;
        assert!(release(node, "a", round).unwrap().was_held);
    }
}
