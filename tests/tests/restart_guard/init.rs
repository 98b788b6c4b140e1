//! New fleets, and what clients must agree on.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::node::{NodeErrorKind, Standing};
use redlock::{AcquireError, BuildError, Locks};
use redlock_tests::support::eventually;

use super::{MAX_TTL, builder, connect, start};

#[test]
fn a_new_fleet_waits_once_and_then_no_more() {
    let fleet = start(3);
    let started = Instant::now();
    let locks = block_on(builder(&fleet).build()).unwrap();
    let refused = block_on(locks.lock("a").try_acquire()).unwrap_err();
    assert!(matches!(refused, AcquireError::Unavailable { .. }), "{refused}");
    assert!(refused.to_string().contains("in quarantine, since its memory is new"), "{refused}");
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    assert!(started.elapsed() >= MAX_TTL, "{:?}", started.elapsed());
    block_on(guard.release()).unwrap();
    let other = block_on(builder(&fleet).build()).unwrap();
    assert!(block_on(other.lock("a").try_acquire()).unwrap().is_some());
}

#[test]
fn clients_that_begin_at_the_same_moment_agree_on_one_fleet() {
    let fleet = start(5);
    let clients: Vec<Locks> = std::thread::scope(|scope| {
        let starting: Vec<_> =
            (0..6).map(|_| scope.spawn(|| block_on(builder(&fleet).build()).unwrap())).collect();
        starting.into_iter().map(|client| client.join().unwrap()).collect()
    });
    eventually("all nodes are admitted", || {
        clients[0]
            .nodes()
            .iter()
            .all(|node| matches!(node.standing(), Standing::Marked(marker) if marker.floor.is_some()))
    });
    let fleets: std::collections::BTreeSet<u64> = clients[0]
        .nodes()
        .iter()
        .filter_map(|node| match node.standing() {
            Standing::Marked(marker) => Some(marker.charter.fleet),
            _ => None,
        })
        .collect();
    assert_eq!(fleets.len(), 1, "{fleets:?}");
    for client in &clients {
        drop(block_on(client.lock("a").wait_at_most(Duration::from_secs(20)).acquire()).unwrap());
    }
}

#[test]
fn an_operator_who_knows_that_nobody_holds_a_lock_need_not_wait() {
    let fleet = start(5);
    let locks = block_on(builder(&fleet).max_ttl(Duration::from_secs(300)).init()).unwrap();
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_some());
}

#[test]
fn initialising_needs_every_node() {
    let fleet = start(3);
    fleet.server(1).kill();
    let refused = block_on(builder(&fleet).init()).unwrap_err();
    let BuildError::InitIncomplete { nodes } = &refused else { panic!("{refused}") };
    assert_eq!(nodes.len(), 1);
    assert!(refused.to_string().contains(&fleet.server(1).address()), "{refused}");
}

#[test]
fn a_client_with_another_longest_ttl_is_refused() {
    let fleet = start(3);
    let locks = connect(&fleet);
    let refused = block_on(builder(&fleet).max_ttl(2 * MAX_TTL).build()).unwrap_err();
    let BuildError::Misconfigured { nodes } = &refused else { panic!("{refused}") };
    assert!(nodes.iter().all(|error| error.kind == NodeErrorKind::Foreign), "{refused}");
    assert!(refused.to_string().contains("maxExpiration = 600ms, and this one 1.2s"), "{refused}");
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_some(), "the others are not disturbed");
}

#[test]
fn a_client_with_fewer_of_the_nodes_is_refused() {
    let fleet = start(5);
    let _locks = connect(&fleet);
    let three = fleet.urls().into_iter().take(3);
    let builder = Locks::builder().nodes(three).ttl(MAX_TTL).max_ttl(MAX_TTL);
    let refused = block_on(builder.build()).unwrap_err();
    assert!(matches!(refused, BuildError::Misconfigured { .. }), "{refused}");
    assert!(refused.to_string().contains("a set of 5 nodes with a quorum of 3"), "{refused}");
}

#[test]
fn a_client_that_mixes_two_fleets_is_refused() {
    let (one, other) = (start(3), start(3));
    let (_one, _other) = (connect(&one), connect(&other));
    let mixed: Vec<_> = one.urls().into_iter().take(2).chain(other.urls().into_iter().take(1)).collect();
    let builder = Locks::builder().nodes(mixed).ttl(MAX_TTL).max_ttl(MAX_TTL);
    let refused = block_on(builder.build()).unwrap_err();
    let BuildError::Misconfigured { nodes } = &refused else { panic!("{refused}") };
    assert_eq!(*nodes[0].node, *other.server(0).address());
    assert!(refused.to_string().contains("another set of nodes"), "{refused}");
}
