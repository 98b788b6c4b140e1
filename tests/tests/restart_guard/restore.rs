//! Locks that are given back to nodes which have lost their memory, and those that must not be.

use std::time::Duration;

use futures::executor::block_on;
use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock::{LockGuard, Locks, Protections};
use redlock_tests::network::{Direction, Network, Way};
use redlock_tests::rivals::builder_of;
use redlock_tests::support::{HolderProcess, LIMIT, eventually};
use rustix::process::Signal;

use super::{RENEWED_TTL, are_admitted, start, url, ways_to};

const KEY: &str = "redlock:a";

fn has_lock(server: &RedisServer) -> bool {
    server.command(&["EXISTS", KEY]).unwrap().integer() == Some(1)
}

/// Waits until it has been renewed so many times.
fn wait_for_renewals(guard: &LockGuard, count: usize) {
    for _ in 0..count {
        let before = guard.valid_until();
        eventually("it is renewed", || guard.valid_until() > before);
    }
}

/// A way to every node, and what leads there.
fn behind_ways(fleet: &RedisFleet) -> (Network, Vec<String>) {
    let network = ways_to(fleet);
    let urls = network.ways().map(url).collect();
    (network, urls)
}

#[test]
fn a_lock_whose_validity_has_ended_never_comes_back() {
    let fleet = start(3);
    let (network, urls) = behind_ways(&fleet);
    let locks = block_on(builder_of(urls, Duration::from_secs(1)).init()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    // The servers' end is not to be noticed.
    network.ways().for_each(|way| way.cut(Direction::Both));
    eventually("an extension is on its way to each node", || network.ways().all(|way| way.waiting() > 0));
    eventually("the validity ends", || !guard.is_valid());
    for server in &fleet {
        server.restart().unwrap();
    }
    network.ways().for_each(Way::mend);
    eventually("what was held up has arrived", || network.ways().all(|way| way.waiting() == 0));
    // These are answered behind whatever may come late.
    let next = block_on(locks.lock("b").wait_at_most(LIMIT).acquire()).unwrap();
    assert!(fleet.iter().all(|server| !has_lock(server)));
    block_on(next.release()).unwrap();
    let _ = block_on(guard.release());
    let report = block_on(locks.shutdown(LIMIT));
    assert_eq!((report.open_guards, report.unsettled), (0, 0), "nothing is under way any more");
    assert!(fleet.iter().all(|server| server.lock_keys().unwrap().is_empty()));
}

#[test]
fn a_holder_that_was_stopped_beyond_its_validity_does_not_bring_its_lock_back() {
    let fleet = start(3);
    let mut holder = HolderProcess::start(env!("CARGO_BIN_EXE_holder"), &["hold", "a", "1000"], &fleet);
    assert_eq!(holder.line(), "held");
    holder.signal(Signal::STOP);
    eventually("it expires", || fleet.iter().all(|server| !has_lock(server)));
    for server in &fleet {
        server.restart().unwrap();
    }
    holder.signal(Signal::CONT);
    assert_eq!(holder.line(), "lost");
    assert_eq!(holder.line(), "", "it has ended, and sends nothing more");
    assert!(fleet.iter().all(|server| !has_lock(server)));
}

/// Deletes a held lock on two nodes of five, by hand; says whether it comes back there.
fn comes_back_after_deletion(protections: Protections) -> bool {
    let fleet = start(5);
    let locks = block_on(builder_of(fleet.urls(), RENEWED_TTL).protections(protections).init()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    eventually("every node has it", || fleet.iter().all(has_lock));
    // So that no acquire is on its way any more.
    wait_for_renewals(&guard, 1);
    for server in fleet.iter().take(2) {
        assert_eq!(server.command(&["DEL", KEY]).unwrap().integer(), Some(1));
    }
    wait_for_renewals(&guard, 3);
    fleet.iter().take(2).any(has_lock)
}

#[test]
fn a_node_that_lost_the_lock_and_not_its_memory_is_not_given_it_back() {
    assert!(!comes_back_after_deletion(Protections::default()));
}

#[test]
fn without_that_distinction_a_deleted_lock_comes_back() {
    assert!(comes_back_after_deletion(Protections::without("restore_new_only").unwrap()));
}

#[test]
fn a_lock_deleted_on_a_majority_is_lost_at_once() {
    let fleet = start(5);
    let locks = block_on(builder_of(fleet.urls(), Duration::from_secs(60)).init()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    eventually("every node has it", || fleet.iter().all(has_lock));
    for server in fleet.iter().take(3) {
        server.command(&["DEL", KEY]).unwrap();
    }
    let lost = block_on(guard.extend()).unwrap_err();
    assert!(lost.to_string().contains("have lost its key"), "{lost}");
    assert!(!guard.is_valid());
}

#[test]
fn a_lock_survives_ten_losses_of_two_nodes_at_a_time() {
    let fleet = start(5);
    let builder = || builder_of(fleet.urls(), RENEWED_TTL);
    let locks = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    for loss in 0..10 {
        let lost = [loss % 5, (loss + 1) % 5].map(|index| fleet.server(index));
        lost.iter().for_each(|server| server.kill());
        lost.iter().for_each(|server| server.restart().unwrap());
        eventually("the lock is back there", || lost.iter().all(|server| has_lock(server)));
        assert!(guard.is_valid(), "after {loss} losses");
        assert!(!matches!(block_on(other.lock("a").try_acquire()), Ok(Some(_))));
    }
    block_on(guard.release()).unwrap();
    eventually("the nodes are admitted", || are_admitted(&other));
    drop(block_on(other.lock("a").wait_at_most(LIMIT).acquire()).unwrap());
}

/// Whether a lock outlives the loss of its nodes' memory, all of them one after the other.
fn outlives_every_node(protections: Protections) -> bool {
    let fleet = start(3);
    let builder = || builder_of(fleet.urls(), RENEWED_TTL).protections(protections);
    let locks = block_on(builder().init()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    eventually("every node has it", || fleet.iter().all(has_lock));
    for server in &fleet {
        server.restart().unwrap();
        let before = guard.valid_until();
        eventually("it is given back, or left out of a renewal, or lost", || {
            has_lock(server) || guard.valid_until() > before || !guard.is_valid()
        });
        if guard.is_valid() && protections.restore {
            eventually("it is given back", || has_lock(server) || !guard.is_valid());
        }
    }
    wait_until_renewed_or_lost(&guard);
    guard.is_valid()
}

fn wait_until_renewed_or_lost(guard: &LockGuard) {
    let before = guard.valid_until();
    eventually("it is renewed or lost", || guard.valid_until() > before || !guard.is_valid());
}

#[test]
fn a_lock_outlives_the_memory_of_all_its_nodes() {
    assert!(outlives_every_node(Protections::default()));
}

#[test]
fn without_restore_a_lock_erodes() {
    assert!(!outlives_every_node(Protections::without("restore").unwrap()));
}

#[test]
fn a_restore_that_comes_late_behind_a_release_leaves_no_lock() {
    let fleet = start(3);
    let (network, urls) = behind_ways(&fleet);
    let locks = block_on(builder_of(urls, Duration::from_secs(4)).init()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    eventually("every node has it", || fleet.iter().all(has_lock));
    let server = fleet.server(0);
    server.restart().unwrap();
    let before = std::sync::Arc::clone(&locks.nodes()[0]).incarnation();
    eventually("the node is judged", || {
        let _ = block_on(locks.lock("any").try_acquire());
        let now = std::sync::Arc::clone(&locks.nodes()[0]).incarnation();
        now.is_some() && now != before || has_lock(server)
    });
    // Lost once more, so that the next extension restores; it is held up.
    server.command(&["FLUSHALL"]).unwrap();
    let way = network.way(0, 0);
    way.cut(Direction::Requests);
    let extended = block_on(guard.extend());
    assert!(extended.is_ok(), "{extended:?}");
    eventually("the restore is held up", || way.waiting() > 0);
    block_on(guard.release()).unwrap();
    way.mend();
    let report = block_on(locks.shutdown(LIMIT));
    assert_eq!((report.open_guards, report.unsettled), (0, 0));
    assert_eq!(fleet.lock_keys().unwrap().concat(), [""; 0]);
}

#[test]
fn many_locks_are_given_back_after_one_loss() {
    const COUNT: usize = 200;
    let fleet = start(5);
    let locks: Locks = block_on(builder_of(fleet.urls(), Duration::from_secs(6)).init()).unwrap();
    let held: Vec<LockGuard> =
        (0..COUNT).map(|index| block_on(locks.lock(format!("many:{index}")).acquire()).unwrap()).collect();
    let ends: Vec<_> = held.iter().map(|guard| guard.valid_until()).collect();
    let server = fleet.server(2);
    server.restart().unwrap();
    eventually("all of them are back", || server.lock_keys().unwrap().len() == COUNT);
    assert!(held.iter().all(|guard| guard.is_valid()));
    // None of them was lost meanwhile and taken again: they are the same holds.
    eventually("all of them are renewed", || {
        held.iter().zip(&ends).all(|(guard, &end)| guard.valid_until() > end)
    });
}

#[test]
fn one_lock_is_given_back_to_a_node_that_was_down_when_it_was_acquired() {
    let fleet = start(3);
    let locks = block_on(builder_of(fleet.urls(), RENEWED_TTL).init()).unwrap();
    fleet.server(1).kill();
    let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    fleet.server(1).restart().unwrap();
    eventually("it is there too", || has_lock(fleet.server(1)));
    assert!(guard.is_valid());
}
