//! Several processes on one directory.

use std::process::Command;

use futures::FutureExt as _;
use redlock::Locks;
use redlock_tests::support::{HolderProcess, LONG, eventually};
use rustix::process::Signal;

use super::*;

fn holder(arguments: &[&str], directory: &Directory) -> HolderProcess {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    HolderProcess::spawn_on(command.args(arguments), &[directory.url()])
}

fn locks(directory: &Directory) -> Locks {
    block_on(Locks::builder().nodes([directory.url()]).ttl(LONG).build()).unwrap()
}

#[test]
fn eight_processes_that_count_lose_no_update() {
    let directory = Directory::new();
    let file = directory.parent.path().join("counter");
    fs::write(&file, "0").unwrap();
    let (processes, rounds) = (8, 100);
    let arguments = ["count", "a", &rounds.to_string(), file.to_str().unwrap()];
    let mut counting: Vec<_> = (0..processes).map(|_| holder(&arguments, &directory)).collect();
    for process in &mut counting {
        assert_eq!(process.line(), "done");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), (processes * rounds).to_string());
}

#[test]
fn a_process_that_stands_still_with_a_file_locked_hangs_nobody() {
    let directory = Directory::new();
    let node = directory.node();
    token(&node, "a", 1, 60_000);
    // As if it had been stopped in the middle of a look at the file.
    let file = fs::File::open(directory.file()).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let request = AcquireRequest::new(name("a"), owner(2), ttl(60_000), from_now(50));
    let refused = block_on(Arc::clone(&node).acquire(request)).unwrap_err();
    assert!(refused.detail.contains("is one of them stopped?"), "{refused}");
    assert!(is_granted(&acquire(&node, "b", 1, 60_000)), "other locks are not concerned");

    // Requests about one name come in the order of their first polls, and those that were abandoned not at all.
    let mut abandoned = Arc::clone(&node).acquire(acquisition("a", 3, 60_000));
    let mut releasing = Arc::clone(&node).release(ReleaseRequest::new(name("a"), owner(1), None));
    let mut acquiring = Arc::clone(&node).acquire(acquisition("a", 4, 60_000));
    assert!((&mut abandoned).now_or_never().is_none());
    assert!((&mut releasing).now_or_never().is_none() && (&mut acquiring).now_or_never().is_none());
    drop(abandoned);
    drop(file);
    let (released, acquired) = block_on(futures::future::join(releasing, acquiring));
    assert!(released.unwrap().was_held && is_granted(&acquired));
}

#[test]
fn a_holder_that_is_killed_keeps_others_out_until_its_ttl_has_passed() {
    let directory = Directory::new();
    let locks = locks(&directory);
    let mut process = holder(&["hold", "a", "1500"], &directory);
    assert_eq!(process.line(), "held");
    process.kill();
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none(), "its TTL is not over");
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    assert!(guard.is_valid());
}

#[test]
fn a_process_that_is_killed_at_any_moment_leaves_a_whole_record() {
    let directory = Directory::new();
    let node = directory.node();
    for round in 0..12 {
        let lock = format!("redlock:{}", round % 3);
        let mut process = holder(&["hold", &lock["redlock:".len()..], "100"], &directory);
        if round % 2 == 0 {
            assert_eq!(process.line(), "held");
        }
        // Otherwise as soon as it has begun, and a little later each time.
        std::thread::sleep(millis(round * 2));
        process.kill();
        eventually("the lock is free again", || is_granted(&Ok(acquire(&node, &lock, 1, 60_000).unwrap())));
        assert!(release(&node, &lock, 1).unwrap().was_held);
    }
}

#[test]
fn a_waiter_is_woken_by_a_release_in_another_process() {
    let directory = Directory::new();
    let node = directory.node();
    token(&node, "a", 1, 300_000);
    let watch = block_on(Arc::clone(&node).watch(name("a"))).unwrap();
    // Its own node, as in another process: nobody tells the first one but the system.
    let other = directory.node();
    let releasing = std::thread::spawn(move || {
        // A renewal does not wake anybody for good.
        assert!(is_granted(&extend(&other, "a", 1, 300_000)));
        assert!(release(&other, "a", 1).unwrap().was_held);
    });
    block_on(watch).unwrap();
    releasing.join().unwrap();
    assert!(!is_held(&node, "a"));
}

#[test]
fn a_watch_ends_at_the_end_of_the_ttl_and_at_once_where_there_is_nobody() {
    let directory = Directory::new();
    let node = directory.node();
    block_on(block_on(Arc::clone(&node).watch(name("a"))).unwrap()).unwrap();
    token(&node, "a", 1, 100);
    block_on(block_on(Arc::clone(&node).watch(name("a"))).unwrap()).unwrap();
    assert!(!is_held(&node, "a"));
}

#[test]
fn abandoned_acquisitions_leave_nothing() {
    let directory = Directory::new();
    let locks = locks(&directory);
    for round in 0..50 {
        let lock = locks.lock("a");
        let mut acquiring = Box::pin(lock.acquire());
        // Polled once, and dropped in the middle.
        let polled = (&mut acquiring).now_or_never();
        assert!(polled.is_none_or(|result| result.is_ok()), "round {round}");
    }
    let node = directory.node();
    eventually("it is released in the background", || {
        let lock = LockName::new("redlock:a").unwrap();
        !block_on(Arc::clone(&node).inspect(lock)).unwrap().held
    });
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_some());
}

#[test]
fn a_holder_that_stands_still_loses_the_lock_and_its_token_is_smaller_than_the_next() {
    let directory = Directory::new();
    let mut process = holder(&["act", "a", "1000"], &directory);
    let held = process.line();
    let first: u64 = held.strip_prefix("held ").unwrap().parse().unwrap();
    process.signal(Signal::STOP);
    let guard = block_on(locks(&directory).lock("a").acquire()).unwrap();
    assert!(guard.fencing_token().unwrap().get() > first);
    process.say("look");
    process.signal(Signal::CONT);
    assert_eq!(process.line(), "not valid");
}
