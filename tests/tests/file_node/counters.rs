//! Fencing counters: they rise whatever the wall clock does, and are forgotten without beginning again below.

use redlock::FencingToken;
use redlock::node::{Raise, RaiseRequest};

use super::env::MovedEnv;
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: i64 = 3_600_000_000;

#[test]
fn counters_follow_the_wall_clock_and_rise_when_it_is_set_back() {
    let directory = Directory::new();
    let env = MovedEnv::new();
    let node = start(directory.config(), Arc::clone(&env) as _, Protections::default());
    let wall = env.wall_micros();
    let first = token(&node, "a", 1, 20);
    assert!(first.abs_diff(wall) < 10_000_000, "{first} {wall}");
    env.set_wall(-HOUR);
    env.pass(SECOND);
    assert!(token(&node, "a", 2, 20) > first);
}

#[test]
fn a_hint_is_followed_for_a_second_at_most() {
    let directory = Directory::new();
    let env = MovedEnv::new();
    let ask = |node: &Arc<FileNode>, lock| {
        let mut request = acquisition(lock, 1, 60_000);
        request.fence = Some(Fence::new(env.wall_micros() + 3_600_000_000, 1, Duration::ZERO));
        match block_on(Arc::clone(node).acquire(request)) {
            Ok(Reply::Granted(grant)) => grant.counter.unwrap().abs_diff(env.wall_micros()),
            other => panic!("{other:?}"),
        }
    };
    assert!(ask(&directory.node(), "a") < 10_000_000);
    let mutant = directory.node_without(Protections::without("fence_clamp").unwrap());
    assert!(ask(&mutant, "b") > 3_000_000_000, "without the safeguard");
}

#[test]
fn a_raised_counter_is_followed_by_greater_ones_up_to_its_end() {
    let directory = Directory::new();
    let (node, other) = (directory.node(), directory.node());
    let first = token(&node, "a", 1, 60_000);
    let raise = |to| {
        let fence = Raise::new(to, Duration::ZERO);
        let request = RaiseRequest::new(name("a"), owner(1), ttl(60_000), from_now(60_000), fence);
        block_on(Arc::clone(&node).raise(request))
    };
    // Far beyond what is reserved.
    let far = first + 10_000_000_000_000;
    assert!(is_granted(&raise(far)));
    release(&node, "a", 1).unwrap();
    assert!(token(&other, "a", 1, 60_000) > far);
    assert!(is_granted(&raise(u64::MAX)));
    let inspection = block_on(Arc::clone(&node).inspect(name("a"))).unwrap();
    assert_eq!(inspection.counter, Some(FencingToken::MAX), "there is nothing above it");
    release(&node, "a", 1).unwrap();
    refusal(acquire(&node, "a", 2, 60_000), RefusalReason::Exhausted);
}

#[test]
fn files_that_are_not_needed_any_more_go_and_their_counters_do_not_begin_again_below() {
    let directory = Directory::new();
    let env = MovedEnv::new();
    let node = start(directory.config(), Arc::clone(&env) as _, Protections::default());
    let first = token(&node, "first", 1, 20);
    assert!(is_granted(&acquire(&node, "held", 1, 1_000_000_000)));
    for round in 0..300 {
        token(&node, &format!("used once {round}"), 1, 20);
        // Longer than their counters are kept.
        env.pass(3 * SECOND);
    }
    let files = directory.files();
    assert!(files.len() < 150, "{} files", files.len());
    assert!(!files.iter().any(|path| path.ends_with("first")));
    refusal(acquire(&node, "held", 2, 20), RefusalReason::Held);
    // The wall clock alone would make it smaller.
    env.set_wall(-HOUR);
    assert!(token(&node, "first", 2, 20) > first);
}

#[test]
fn a_counter_is_kept_for_its_retention() {
    let directory = Directory::new();
    let env = MovedEnv::new();
    let node = start(directory.config(), Arc::clone(&env) as _, Protections::default());
    let mut kept = acquisition("kept", 1, 20);
    kept.fence = Some(Fence::new(0, 1, Duration::from_secs(3_600)));
    assert!(is_granted(&block_on(Arc::clone(&node).acquire(kept))));
    for round in 0..50 {
        token(&node, &format!("used once {round}"), 1, 20);
        env.pass(3 * SECOND);
    }
    assert!(directory.files().iter().any(|path| path.ends_with("kept")));
}
