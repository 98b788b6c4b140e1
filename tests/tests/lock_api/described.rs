//! Who holds a lock, as others are told.

use std::time::Duration;

use futures::executor::block_on;
use redlock::node::Description;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{AcquireError, Holder, LockName, Locks};
use redlock_tests::support::{builder, connect, eventually, lock_keys};

fn holder_of(locks: &Locks, name: &str) -> Option<Holder> {
    block_on(locks.look(name)).unwrap().holder()?.holder
}

fn text_of(locks: &Locks, name: &str) -> Option<String> {
    holder_of(locks, name).map(|holder| holder.text)
}

#[test]
fn a_holder_is_shown_with_its_machine_its_process_and_what_it_says() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let view = block_on(other.look("a")).unwrap();
    assert!(view.is_known() && view.is_free() && view.holder().is_none());
    let guard = block_on(locks.lock("a").description("nightly run").acquire()).unwrap();
    let view = block_on(other.look("a")).unwrap();
    assert!(view.is_known() && !view.is_free());
    let holding = view.holder().unwrap();
    let holder = holding.holder.clone().unwrap();
    assert!(!holder.host.is_empty());
    assert_eq!((holder.pid, holder.text.as_str()), (Some(std::process::id()), "nightly run"));
    assert!(holding.held_for.unwrap() < Duration::from_secs(600));
    assert!(holding.remaining.unwrap() <= guard.ttl().get());
    assert!(holding.token >= guard.fencing_token());
    assert!(
        holding.to_string().contains(&format!(" pid {} (nightly run) for ", std::process::id())),
        "{holding}"
    );
    block_on(guard.release()).unwrap();
    eventually("nobody is shown", || block_on(other.look("a")).unwrap().is_free());
    assert!(block_on(other.look("")).is_err());
}

#[test]
fn who_does_not_get_it_is_told_who_has_it() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let _guard = block_on(locks.lock("a").description("nightly run").acquire()).unwrap();
    let limit = Duration::from_millis(50);
    for error in [
        block_on(other.lock("a").retries(1).acquire()).unwrap_err(),
        block_on(other.lock("a").wait_at_most(limit).acquire()).unwrap_err(),
        // Who never came to the head of its own process' line, too.
        block_on(locks.lock("a").wait_at_most(limit).acquire()).unwrap_err(),
    ] {
        let AcquireError::Busy { holder: Some(holding), .. } = &error else { panic!("{error}") };
        assert_eq!(holding.holder.as_ref().unwrap().pid, Some(std::process::id()));
        let shown = format!("held by {} for ", holding.holder.as_ref().unwrap());
        assert!(shown.contains("(nightly run)") && error.to_string().contains(&shown), "{error}");
        assert!(error.to_string().contains(" s left ("), "{error}");
    }
}

#[test]
fn what_is_said_can_be_changed_while_it_is_held() {
    let fleet = RedisFleet::start(5).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let since = holder_of(&other, "a").unwrap().since;
    assert_eq!(text_of(&other, "a").as_deref(), Some(""));
    for text in ["one", "two\nlines \u{1b}[2J", ""] {
        block_on(guard.describe(text)).unwrap();
        assert_eq!(text_of(&other, "a").as_deref(), Some(text));
        assert!(!holder_of(&other, "a").unwrap().to_string().contains(char::is_control));
        // A renewal says it again.
        block_on(guard.extend()).unwrap();
        assert_eq!(text_of(&other, "a").as_deref(), Some(text));
    }
    assert_eq!(holder_of(&other, "a").unwrap().since, since);
    let long = "é".repeat(Description::MAX_BYTES);
    block_on(guard.describe(&*long)).unwrap();
    let shown = text_of(&other, "a").unwrap();
    assert!(shown.len() > 900 && long.starts_with(&shown));
    let view = guard.held();
    block_on(guard.release()).unwrap();
    assert!(block_on(view.describe("too late")).is_err());
    eventually("nobody is shown", || block_on(other.look("a")).unwrap().is_free());
}

#[test]
fn what_is_said_touches_no_key_that_others_wait_for() {
    let fleet = RedisFleet::start(3).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    // Far from its first renewal.
    let guard = block_on(locks.lock("a").ttl(Duration::from_secs(30)).acquire()).unwrap();
    let before = guard.valid_until();
    let was_prolonged = |server: &RedisServer| {
        let stats = server.command(&["INFO", "commandstats"]).unwrap();
        stats.text().unwrap().contains("cmdstat_pexpire:")
    };
    let prolonged = || fleet.iter().filter(|server| was_prolonged(server)).count();
    block_on(guard.describe("something else")).unwrap();
    eventually("it is shown", || text_of(&other, "a").as_deref() == Some("something else"));
    assert_eq!((prolonged(), guard.valid_until()), (0, before));
    block_on(guard.extend()).unwrap();
    eventually("an extension does", || prolonged() == 3);
    assert!(guard.valid_until() > before);
}

#[test]
fn a_node_that_lost_the_lock_is_told_again_with_it() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").description("nightly run").acquire()).unwrap();
    eventually("all nodes have been told", || fleet.iter().all(|server| !lock_keys(server).is_empty()));
    fleet.server(0).restart().unwrap();
    eventually("it is restored with what is said", || {
        let _ = block_on(guard.extend());
        let view = block_on(builder(&fleet).view(&[LockName::new("a").unwrap()])).unwrap();
        let seen = view.locks[0].nodes[0].answer.as_ref();
        let restored = seen.ok().and_then(|look| look.description.clone());
        restored.is_some_and(|said| said.as_str().ends_with(" nightly run"))
    });
}

#[test]
fn the_next_holder_of_the_process_is_shown_with_its_first_renewal() {
    let fleet = RedisFleet::start(3).unwrap();
    let (locks, other) = (connect(&fleet), connect(&fleet));
    let first = block_on(locks.lock("a").description("the first").acquire()).unwrap();
    let waiting = locks.lock("a").description("the second");
    let waiter = std::thread::spawn(move || block_on(waiting.acquire()).unwrap());
    // It waits, or comes a moment later: either way the text is its own in the end.
    block_on(first.release()).unwrap();
    let second = waiter.join().unwrap();
    block_on(second.extend()).unwrap();
    assert_eq!(text_of(&other, "a").as_deref(), Some("the second"));
    block_on(second.release()).unwrap();
}

#[test]
fn machine_and_process_can_be_kept_back() {
    let fleet = RedisFleet::start(3).unwrap();
    let locks = block_on(builder(&fleet).describe_holder(false).build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let holding = block_on(locks.look("a")).unwrap().holder().unwrap();
    assert!(holding.holder.is_none() && holding.held_for.is_none());
    assert!(holding.to_string().starts_with("held by somebody who does not say who, "), "{holding}");
    block_on(guard.describe("5 apples for Ann")).unwrap();
    let holder = holder_of(&locks, "a").unwrap();
    assert_eq!((holder.host.as_str(), holder.pid, holder.text.as_str()), ("", None, "5 apples for Ann"));
}
