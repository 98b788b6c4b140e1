//! What the node answers, and each safeguard with its mutant.

use redlock::node::{Raise, RaiseRequest};
use redlock_tests::support::eventually;

use super::*;

#[test]
fn a_lock_is_granted_to_one_owner_renewed_released_and_granted_to_the_next() {
    let directory = Directory::new();
    // Two nodes, as two processes have them.
    let (one, other) = (directory.node(), directory.node());
    let first = token(&one, "a", 1, 60_000);
    let left = refusal(acquire(&other, "a", 2, 60_000), RefusalReason::Held).unwrap();
    assert!(left > millis(50_000) && left <= millis(60_000), "{left:?}");
    assert!(is_held(&other, "a") && !is_held(&other, "b"));
    assert!(is_granted(&extend(&one, "a", 1, 90_000)));
    assert!(refusal(acquire(&other, "a", 2, 60_000), RefusalReason::Held).unwrap() > millis(60_000));
    refusal(extend(&other, "a", 2, 60_000), RefusalReason::Held);
    assert!(!release(&other, "a", 2).unwrap().was_held, "it is not the second's");
    assert!(is_held(&other, "a"));
    assert!(release(&one, "a", 1).unwrap().was_held);
    refusal(extend(&one, "a", 1, 60_000), RefusalReason::Missing);
    assert!(token(&other, "a", 2, 60_000) > first);
}

#[test]
fn a_repeated_acquisition_is_granted_again_with_the_same_token_and_shortens_nothing() {
    let directory = Directory::new();
    let node = directory.node();
    let first = token(&node, "a", 1, 60_000);
    assert_eq!(token(&node, "a", 1, 1_000), first);
    assert!(refusal(acquire(&node, "a", 2, 1_000), RefusalReason::Held).unwrap() > millis(50_000));
    let mutant = directory.node_without(Protections::without("fence_once").unwrap());
    assert!(token(&mutant, "a", 1, 1_000) > first, "without the safeguard");
}

#[test]
fn a_lock_ends_with_its_ttl() {
    let directory = Directory::new();
    let node = directory.node();
    token(&node, "a", 1, 50);
    eventually("the lock has expired", || is_granted(&acquire(&node, "a", 2, 60_000)));
    assert!(!release(&node, "a", 1).unwrap().was_held);
    assert!(is_held(&node, "a"));
}

#[test]
fn requests_after_their_deadline_are_refused() {
    let directory = Directory::new();
    let node = directory.node();
    let past = || Instant::now().saturating_sub(millis(1));
    let late = AcquireRequest::new(name("a"), owner(1), ttl(60_000), past());
    refusal(block_on(Arc::clone(&node).acquire(late.clone())), RefusalReason::Stale);
    token(&node, "a", 1, 60_000);
    let extension = ExtendRequest::new(name("a"), owner(1), ttl(60_000), past());
    refusal(block_on(Arc::clone(&node).extend(extension)), RefusalReason::Stale);
    let raise = RaiseRequest::new(name("a"), owner(1), ttl(60_000), past(), Raise::new(5, Duration::ZERO));
    refusal(block_on(Arc::clone(&node).raise(raise)), RefusalReason::Stale);
    // A release is never late.
    assert!(release(&node, "a", 1).unwrap().was_held);
    let mutant = directory.node_without(Protections::without("stale_deadline").unwrap());
    assert!(is_granted(&block_on(mutant.acquire(late))), "without the safeguard");
}

#[test]
fn only_the_owner_releases_and_extends_and_nothing_is_shortened() {
    let directory = Directory::new();
    let node = directory.node();
    let mutant = |name| directory.node_without(Protections::without(name).unwrap());
    token(&node, "a", 1, 60_000);
    assert!(is_granted(&extend(&node, "a", 1, 1_000)));
    assert!(refusal(acquire(&node, "a", 2, 1_000), RefusalReason::Held).unwrap() > millis(50_000));
    refusal(extend(&node, "a", 2, 1_000), RefusalReason::Held);
    assert!(is_granted(&extend(&mutant("extend_owner_check"), "a", 2, 1_000)), "without the safeguard");
    assert!(is_granted(&extend(&mutant("never_shorten"), "a", 1, 20_000)));
    assert!(refusal(acquire(&node, "a", 2, 1_000), RefusalReason::Held).unwrap() <= millis(20_000));
    assert!(release(&mutant("release_owner_check"), "a", 2).unwrap().was_held, "without the safeguard");
}

#[test]
fn an_extension_restores_only_what_it_is_told_to_and_nobody_has() {
    let directory = Directory::new();
    let node = directory.node();
    let restore = |number| {
        let mut request = ExtendRequest::new(name("a"), owner(number), ttl(60_000), from_now(10_000));
        (request.restore, request.fence) = (true, Some(Raise::new(7, Duration::ZERO)));
        block_on(Arc::clone(&node).extend(request))
    };
    refusal(extend(&node, "a", 1, 60_000), RefusalReason::Missing);
    assert!(is_granted(&restore(1)));
    refusal(restore(2), RefusalReason::Held);
    assert!(is_held(&node, "a"));
}

#[test]
fn a_release_settles_only_what_is_past_its_deadline() {
    let directory = Directory::new();
    let node = directory.node();
    let ask = |unsettled| {
        block_on(Arc::clone(&node).release(ReleaseRequest::new(name("a"), owner(1), unsettled))).unwrap()
    };
    assert!(ask(None).settled);
    assert!(!ask(Some(from_now(60_000))).settled);
    assert!(ask(Some(Instant::now().saturating_sub(millis(1)))).settled);
}

#[test]
fn names_of_all_bytes_and_lengths_are_locks_of_their_own() {
    let directory = Directory::new();
    let node = directory.node();
    let long = "é/".repeat(170);
    let names = ["a", "A", "a/b", "a%2Fb", "..", "\n", "中文", &long, &long[2..]];
    for name in names {
        token(&node, name, 1, 60_000);
    }
    assert_eq!(directory.files().len(), names.len());
    for name in names {
        refusal(acquire(&node, name, 2, 60_000), RefusalReason::Held);
    }
}
