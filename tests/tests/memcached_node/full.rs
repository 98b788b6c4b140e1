//! Servers whose memory is full.

use redlock::node::{Effect, NodeErrorKind, RefusalReason};
use redlock::testing::servers::MemcachedServer;

use crate::{acquire, ask, connected, extend, is_granted, is_held, refusal, release};

/// Fills the memory with items of a lock's size.
fn fill(server: &MemcachedServer) {
    let items: String =
        (0..30_000).map(|n| format!("set fill{n:05} 0 0 40 noreply\r\n{}\r\n", "x".repeat(40))).collect();
    // Errors are told all the same; the last answer is that of `mn`.
    server.talk(&format!("{items}mn\r\n"), "MN\r\n").unwrap();
}

#[test]
fn a_full_server_that_evicts_nothing_refuses_and_an_attempt_at_a_lock_does_not_free_it() {
    let server = MemcachedServer::options().args(["-M", "-m", "2"]).start().unwrap();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 600_000)));
    fill(&server);
    for _ in 0..3 {
        // A meta `ms` in mode add would have deleted it here.
        refusal(acquire(&node, "a", 2, 60_000), RefusalReason::Held);
    }
    let error = acquire(&node, "b", 2, 60_000).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::ReadOnly, Effect::None), "{error}");
    let error = extend(&node, "a", 1, 900_000).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::ReadOnly, "{error}");
    assert!(is_held(&node, "a"));
    assert!(release(&node, "a", 1).unwrap().was_held);
    // The trap itself, so that it is noticed should it go away: then meta commands can store, too.
    ask(&server, "delete fill00000");
    ask(&server, "delete fill00001");
    assert!(is_granted(&acquire(&node, "a", 1, 600_000)));
    fill(&server);
    let answer = server.talk(&format!("ms redlock:a 40 ME T60\r\n{}\r\n", "x".repeat(40)), "\r\n").unwrap();
    assert!(answer.starts_with("SERVER_ERROR"), "{answer}");
    assert!(!is_held(&node, "a"));
}

#[test]
fn a_server_that_evicts_loses_locks_without_a_word() {
    let server = MemcachedServer::options().args(["-m", "2"]).start().unwrap();
    let node = connected(&server);
    assert!(is_granted(&acquire(&node, "a", 1, 600_000)));
    for _ in 0..3 {
        fill(&server);
    }
    assert!(is_granted(&acquire(&node, "a", 2, 600_000)), "two owners: this is why -M is advised");
    refusal(extend(&node, "a", 1, 600_000), RefusalReason::Held);
    let findings = futures::executor::block_on(redlock::node::Node::examine(node)).unwrap().findings;
    let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.starts_with("evicts items")), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("has evicted")), "{texts:?}");
}
