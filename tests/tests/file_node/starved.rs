//! Requests that are begun and then not looked after: they take effect, and hold up nobody.

use std::fs::File;
use std::sync::mpsc;
use std::thread;

use futures::FutureExt;
use redlock::node::NodeFuture;

use super::*;

/// Polls a request once.
fn begun<T>(mut request: NodeFuture<T>) -> NodeFuture<T> {
    assert!((&mut request).now_or_never().is_none(), "it has to wait");
    request
}

/// What `work` comes to, which must not wait for ever.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, outcome) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    outcome.recv_timeout(Duration::from_secs(20)).expect("others wait for what nobody looks after")
}

#[test]
fn nobody_waits_for_the_one_who_opens_the_directory() {
    let directory = Directory::new();
    let node = FileNode::start(directory.config(), real_env().unwrap(), Protections::default()).unwrap();
    let first = begun(Arc::clone(&node).acquire(acquisition("a", 1, 60_000)));
    let other = Arc::clone(&node);
    assert!(in_time(move || is_granted(&acquire(&other, "b", 2, 60_000))));
    assert!(is_granted(&block_on(first)));
}

#[test]
fn nobody_waits_for_the_one_who_waits_for_another_process() {
    let directory = Directory::new();
    let node = directory.node();
    token(&node, "a", 1, 60_000);
    let file = File::open(directory.file()).unwrap();
    file.lock().unwrap();
    let extension = ExtendRequest::new(name("a"), owner(1), ttl(90_000), from_now(60_000));
    let first = begun(Arc::clone(&node).extend(extension));
    file.unlock().unwrap();
    let other = Arc::clone(&node);
    let left = in_time(move || refusal(acquire(&other, "a", 2, 60_000), RefusalReason::Held)).unwrap();
    assert!(left > millis(60_000), "the request before took effect: {left:?}");
    assert!(is_granted(&block_on(first)));
}
