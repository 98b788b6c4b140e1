//! Some of five servers stand still while a client acquires, extends and releases, and go on later.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::join_all;
use redlock::testing::real_env;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{ExtendError, Instant, LockGuard, Locks, ReleaseError};
use redlock_tests::support::{
    LIMIT, LONG, assert_no_key_is_left, builder, eventually, is_disconnected, lock_keys, servers_with,
};

use crate::Line;

const LOCKS: usize = 20;
const QUORUM: usize = 3;
/// How long the client waits for a node.
const PATIENCE: Duration = Duration::from_millis(400);

fn names(what: &str) -> Vec<String> {
    (0..LOCKS).map(|number| format!("{what}-{number}")).collect()
}

/// One attempt each, all at once.
fn try_acquire(locks: &Locks, names: &[String]) -> Vec<Option<LockGuard>> {
    let attempts = names.iter().map(|name| {
        let lock = locks.lock(name);
        // With a majority that is silent it is an error.
        async move { lock.try_acquire().await.ok().flatten() }
    });
    block_on(join_all(attempts))
}

fn all(guards: Vec<Option<LockGuard>>) -> Vec<LockGuard> {
    let count = guards.len();
    let held: Vec<_> = guards.into_iter().flatten().collect();
    assert_eq!(held.len(), count, "not all of them are held");
    held
}

struct World {
    fleet: RedisFleet,
    locks: Locks,
}

impl World {
    fn start() -> Self {
        let fleet = RedisFleet::start(5).unwrap();
        let locks = block_on(builder(&fleet).node_timeout(PATIENCE).build()).unwrap();
        Self { fleet, locks }
    }

    /// Another client, which succeeds at the first attempt also on a machine that is busy.
    fn another(&self) -> Locks {
        block_on(builder(&self.fleet).node_timeout(LIMIT).build()).unwrap()
    }

    fn first(&self, count: usize) -> impl Iterator<Item = &RedisServer> {
        self.fleet.iter().take(count)
    }

    fn stop(&self, count: usize) {
        self.first(count).for_each(|server| server.pause().unwrap());
    }

    /// Lets the first `count` servers go on, once their connections are as they should be.
    fn go_on(&self, count: usize, line: Line) {
        if let Line::GivenUp = line {
            eventually("the silent connections have been given up", || {
                self.locks.nodes().iter().take(count).all(is_disconnected)
            });
        }
        self.first(count).for_each(|server| server.resume().unwrap());
    }

    /// Nobody holds any lock: no server has a key, and somebody else gets every one of them at the first attempt.
    fn assert_all_are_free(&self, names: &[String]) {
        assert_no_key_is_left(&self.fleet);
        drop(all(try_acquire(&self.another(), names)));
        assert_no_key_is_left(&self.fleet);
    }
}

/// Waits until no acquire may run any more that was sent at `asked`.
fn until_too_late(asked: Instant) {
    block_on(real_env().unwrap().sleep_until(asked.saturating_add(PATIENCE)));
}

fn acquisitions_leave_nothing(stopped: usize, line: Line) {
    let world = World::start();
    world.stop(stopped);
    let names = names("asked");
    let asked = Instant::now();
    let held: Vec<_> = try_acquire(&world.locks, &names).into_iter().flatten().collect();
    assert_eq!(held.len(), if stopped < QUORUM { LOCKS } else { 0 });
    for guard in held {
        block_on(guard.release()).unwrap();
    }
    until_too_late(asked);
    world.go_on(stopped, line);
    world.assert_all_are_free(&names);
}

fn extensions_and_releases_leave_nothing(stopped: usize, line: Line) {
    let world = World::start();
    let names = names("held");
    let guards = all(try_acquire(&world.locks, &names));
    eventually("all five servers have all keys", || {
        world.fleet.iter().all(|server| lock_keys(server).len() == LOCKS)
    });
    world.stop(stopped);
    let extended = block_on(join_all(guards.iter().map(|guard| guard.extend())));
    let released = block_on(join_all(guards.into_iter().map(LockGuard::release)));
    for (extended, released) in extended.into_iter().zip(released) {
        if stopped < QUORUM {
            extended.unwrap();
            released.unwrap();
        } else {
            assert!(matches!(extended, Err(ExtendError::Failed { .. })), "{extended:?}");
            assert!(matches!(released, Err(ReleaseError::Unconfirmed { .. })), "{released:?}");
        }
    }
    world.go_on(stopped, line);
    world.assert_all_are_free(&names);
}

#[test]
fn acquisitions_leave_nothing_on_a_minority_that_stood_still() {
    acquisitions_leave_nothing(2, Line::Kept);
}

#[test]
fn acquisitions_leave_nothing_on_a_majority_that_stood_still() {
    acquisitions_leave_nothing(3, Line::Kept);
}

#[test]
fn acquisitions_leave_nothing_on_a_minority_whose_connections_were_given_up() {
    acquisitions_leave_nothing(2, Line::GivenUp);
}

#[test]
fn acquisitions_leave_nothing_on_a_majority_whose_connections_were_given_up() {
    acquisitions_leave_nothing(3, Line::GivenUp);
}

#[test]
fn extensions_and_releases_leave_nothing_on_a_minority_that_stood_still() {
    extensions_and_releases_leave_nothing(2, Line::Kept);
}

#[test]
fn extensions_and_releases_leave_nothing_on_a_majority_that_stood_still() {
    extensions_and_releases_leave_nothing(3, Line::Kept);
}

#[test]
fn extensions_and_releases_leave_nothing_on_a_minority_whose_connections_were_given_up() {
    extensions_and_releases_leave_nothing(2, Line::GivenUp);
}

#[test]
fn extensions_and_releases_leave_nothing_on_a_majority_whose_connections_were_given_up() {
    extensions_and_releases_leave_nothing(3, Line::GivenUp);
}

/// Two servers stand still with the requests of one holder after the other in their queues.
fn a_holder_keeps_what_it_has(line: Line) {
    let world = World::start();
    let (second, third) = (world.another(), world.another());
    let name = ["a".to_owned()];
    world.stop(2);
    let asked = Instant::now();
    let mut first = all(try_acquire(&world.locks, &name));
    let earlier = first[0].fencing_token();
    block_on(first.remove(0).release()).unwrap();
    let guard = all(try_acquire(&second, &name)).remove(0);
    until_too_late(asked);
    world.go_on(2, line);

    // Whatever the two run now: a majority keeps the key of the holder, who extends it to all that have it.
    let owner =
        |server: &RedisServer| server.command(&["GET", "redlock:a"]).unwrap().text().map(str::to_owned);
    let holder = owner(world.fleet.server(2));
    eventually("the two servers vote again, and not for the first holder", || {
        assert!(try_acquire(&third, &name)[0].is_none(), "somebody holds it");
        assert!(guard.is_valid());
        let answer = |node: &Arc<dyn redlock::node::Node>| block_on(Arc::clone(node).probe()).is_ok();
        third.nodes().iter().all(answer)
            && world.first(2).all(|server| [None, holder.clone()].contains(&owner(server)))
    });
    block_on(guard.extend()).unwrap();
    assert!(servers_with(&world.fleet, "redlock:a") >= QUORUM);
    let token = guard.fencing_token();
    block_on(guard.release()).unwrap();
    let next = block_on(third.lock("a").ttl(LONG).acquire()).unwrap();
    assert!(earlier < token && token < next.fencing_token());
    block_on(next.release()).unwrap();
    world.assert_all_are_free(&name);
}

#[test]
fn a_holder_keeps_what_it_has_when_servers_run_the_requests_of_its_predecessor() {
    a_holder_keeps_what_it_has(Line::Kept);
}

#[test]
fn a_holder_keeps_what_it_has_when_servers_run_what_came_over_connections_that_were_given_up() {
    a_holder_keeps_what_it_has(Line::GivenUp);
}
