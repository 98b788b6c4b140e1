//! The restart guard: servers that have forgotten grant nothing until it is safe.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::Protections;
use redlock::backend::memcached::MemcachedNode;
use redlock::node::{
    Charter, Effect, Fence, Incarnation, Mark, MarkRequest, Node, NodeErrorKind, RefusalReason, Standing,
};
use redlock::testing::servers::MemcachedServer;
use redlock_tests::support::eventually;

use crate::{
    acquire, acquisition, ask, counter, extend, is_granted, is_held, refusal, release, server, start_with,
    without,
};

fn guarded(server: &MemcachedServer, protections: Protections) -> Arc<MemcachedNode> {
    let node = start_with(crate::config(server).restart_guard(true), protections);
    block_on(Arc::clone(&node).probe()).unwrap();
    node
}

fn mark(node: &Arc<MemcachedNode>, mark: Mark) -> Standing {
    let charter = Charter::new(7, 0, 1, 1, Duration::from_secs(30));
    block_on(Arc::clone(node).mark(MarkRequest::new(charter, mark))).unwrap()
}

fn init(node: &Arc<MemcachedNode>, floor: u64) {
    let standing = mark(node, Mark::Init { incarnation: Incarnation::new(5), floor });
    assert!(matches!(standing, Standing::Marked(marker) if marker.floor == Some(floor)), "{standing:?}");
}

fn quarantine(lasts: u64) -> Mark {
    Mark::Quarantine { incarnation: Incarnation::new(9), lasts: Duration::from_millis(lasts) }
}

#[test]
fn a_new_memory_grants_nothing_until_its_quarantine_is_over() {
    let server = server();
    let node = guarded(&server, Protections::default());
    assert_eq!(node.standing(), Standing::Unmarked(None));
    let error = acquire(&node, "a", 1, 60_000).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::NotReady, Effect::None));
    assert!(extend(&node, "a", 1, 60_000).is_err());

    let Standing::Marked(marker) = mark(&node, quarantine(60_000)) else { panic!("no marker") };
    assert_eq!((marker.floor, node.incarnation()), (None, Some(Incarnation::new(9))));
    let left = refusal(acquire(&node, "a", 1, 60_000), RefusalReason::Quarantined).unwrap();
    assert!(left > Duration::from_secs(50) && left < Duration::from_secs(70), "{left:?}");
    assert_eq!(mark(&node, Mark::Admit { floor: 3 }), Standing::Marked(marker), "not before its time");

    // Another quarantine, which is short.
    let Standing::Marked(marker) = mark(&node, quarantine(1)) else { panic!("no marker") };
    assert_eq!(marker.floor, None);
    eventually(
        "it is over",
        || matches!(mark(&node, Mark::Admit { floor: 3 }), Standing::Marked(marker) if marker.floor == Some(3)),
    );
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(release(&node, "a", 1).unwrap().was_held);
}

#[test]
fn after_a_flush_nothing_is_granted_and_nothing_is_left() {
    let server = server();
    let node = guarded(&server, Protections::default());
    init(&node, 0);
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert_eq!(ask(&server, "flush_all"), "OK\r\n");
    // It was judged before: only the look behind the vote shows what has happened.
    let error = acquire(&node, "a", 2, 60_000).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::NotReady, Effect::None), "{error}");
    assert!(!is_held(&node, "a"), "it was taken back");
    assert!(extend(&node, "a", 1, 60_000).is_err());
    eventually("it is judged anew", || node.standing() == Standing::Unmarked(None));
    assert_eq!(node.incarnation(), None);

    let mutant = guarded(&server, without("marker_check"));
    assert!(is_granted(&acquire(&mutant, "a", 2, 60_000)), "this is what the marker is for");
}

#[test]
fn after_a_restart_nothing_is_granted_and_an_older_marker_says_nothing() {
    let server = server();
    let node = guarded(&server, Protections::default());
    init(&node, 0);
    let marker = server.talk("get #redlock:marker\r\n", "END\r\n").unwrap();
    let text = marker.lines().nth(1).unwrap().to_owned();
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    server.restart().unwrap();
    eventually("it is connected again", || node.standing() == Standing::Unmarked(None));
    assert_eq!(acquire(&node, "a", 2, 60_000).unwrap_err().kind, NodeErrorKind::NotReady);

    // A marker of another process, as a server with -e would keep it: what was agreed on is known, and nothing is granted.
    server.talk(&format!("set #redlock:marker 0 0 {}\r\n{text}\r\n", text.len()), "\r\n").unwrap();
    eventually("it is read", || {
        let _ = block_on(Arc::clone(&node).probe());
        matches!(node.standing(), Standing::Unmarked(Some(_)))
    });
    assert!(acquire(&node, "a", 2, 60_000).is_err());

    // The holder is given its lock back in quarantine already.
    mark(&node, quarantine(60_000));
    let mut restore = crate::extension("a", 1, 60_000);
    restore.restore = true;
    assert!(is_granted(&block_on(Arc::clone(&node).extend(restore))));
    refusal(acquire(&node, "b", 2, 60_000), RefusalReason::Quarantined);
}

#[test]
fn of_two_clients_that_change_a_marker_one_is_first() {
    let server = server();
    let (one, other) = (guarded(&server, Protections::default()), guarded(&server, Protections::default()));
    init(&one, 0);
    // It has not seen that.
    assert_eq!(other.standing(), Standing::Unmarked(None));
    let standing = mark(&other, quarantine(60_000));
    assert!(matches!(standing, Standing::Marked(marker) if marker.floor == Some(0)), "{standing:?}");
    assert_eq!(one.standing(), other.standing());
    assert!(is_granted(&acquire(&other, "a", 1, 60_000)));
    // A change that this one has not seen yet is found by the next vote.
    mark(&one, Mark::Raise { floor: 8 });
    assert_eq!(acquire(&other, "b", 1, 60_000).unwrap_err().kind, NodeErrorKind::NotReady);
    eventually("it is seen", || is_granted(&acquire(&other, "b", 1, 60_000)));
}

#[test]
fn no_counter_is_above_the_ceiling() {
    let server = server();
    let node = guarded(&server, Protections::default());
    init(&node, 0);
    let ceiling = || block_on(Arc::clone(&node).probe()).unwrap().ceiling.unwrap();
    let fenced = |lock: &str| {
        let fence = Some(Fence::new(0, 1, Duration::from_secs(600)));
        let mut request = acquisition(lock, 1, 60_000);
        request.fence = fence;
        counter(block_on(Arc::clone(&node).acquire(request)))
    };
    assert!(fenced("a") <= ceiling());
    // Far ahead of the server's time.
    let floor = 1 << 52;
    let incarnation = Incarnation::new(5);
    mark(&node, Mark::Init { incarnation, floor });
    assert!(fenced("b") > floor);
    assert!(fenced("b") <= ceiling());
    let identity = block_on(Arc::clone(&node).probe()).unwrap();
    let same = block_on(guarded(&server, Protections::default()).probe()).unwrap();
    assert!(identity.instance.is_some());
    assert_eq!(identity.instance, same.instance, "two addresses of one server are found out");
}
