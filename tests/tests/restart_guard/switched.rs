//! Another server takes over a node's address.

use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock_tests::network::Way;
use redlock_tests::rivals::{Guarded, two_hold};
use redlock_tests::support::eventually;

use super::{start, url, ways_to};

/// How the address changes over.
#[derive(Clone, Copy)]
enum Change {
    /// Clients stay connected, as to a proxy.
    Silently,
    /// They are disconnected, as by a failover of an address.
    WithDisconnect,
}

impl Change {
    fn make(self, way: &Way, to: &RedisServer) {
        way.lead_to(&to.address());
        if let Self::WithDisconnect = self {
            way.reset();
        }
    }
}

/// Whether two hold the lock after two of three addresses lead to servers that know nothing.
fn two_hold_after_a_change(guarded: Guarded, change: Change) -> bool {
    let (fleet, spare) = (start(3), start(2));
    let network = ways_to(fleet.iter().take(2));
    let urls = vec![url(network.way(0, 0)), url(network.way(0, 1)), fleet.server(2).url()];
    two_hold(guarded, &urls, || {
        network.ways().zip(spare.iter()).for_each(|(way, spare)| change.make(way, spare));
    })
}

#[test]
fn a_server_that_takes_over_behind_an_open_connection_grants_nothing_that_is_held() {
    assert!(!two_hold_after_a_change(Guarded::Fully, Change::Silently));
}

#[test]
fn a_server_that_takes_over_with_a_new_connection_grants_nothing_that_is_held() {
    assert!(!two_hold_after_a_change(Guarded::Fully, Change::WithDisconnect));
}

#[test]
fn without_quarantine_a_server_that_takes_over_grants_what_is_held() {
    assert!(two_hold_after_a_change(Guarded::Without("quarantine"), Change::Silently));
}

#[test]
fn without_the_guard_a_server_that_takes_over_grants_what_is_held() {
    assert!(two_hold_after_a_change(Guarded::Not, Change::Silently));
}

/// A replica of a node, up to date when it is cut off.
struct Replica {
    server: RedisServer,
}

impl Replica {
    fn of(master: &RedisServer) -> Self {
        let server = RedisServer::start().unwrap();
        server.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).unwrap();
        eventually("the replica is connected", || {
            server.command(&["ROLE"]).is_ok_and(|role| format!("{role:?}").contains("connected"))
        });
        Self { server }
    }

    /// Nothing that is written to its master from now on gets here.
    fn promote(&self) {
        self.server.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    }
}

/// Whether two hold the lock after a replica has taken over a node's address, to which the lock had not got.
fn two_hold_after_a_failover(guarded: Guarded) -> bool {
    let fleet: RedisFleet = start(3);
    let network = ways_to([fleet.server(0)]);
    let way = network.way(0, 0);
    let urls = vec![url(way), fleet.server(1).url(), fleet.server(2).url()];
    let replica = Replica::of(fleet.server(0));
    let lock = |server: &RedisServer| server.lock_keys().unwrap();
    two_hold(guarded, &urls, || {
        eventually("the lock is everywhere", || {
            fleet.iter().all(|server| lock(server).len() == 1) && lock(&replica.server).len() == 1
        });
        replica.promote();
        // As if the lock had been on its way still.
        replica.server.command(&["DEL", "redlock:a"]).unwrap();
        // One that did not vote.
        fleet.server(2).command(&["DEL", "redlock:a"]).unwrap();
        fleet.server(0).kill();
        way.lead_to(&replica.server.address());
    })
}

#[test]
fn a_promoted_replica_that_lacks_the_last_lock_does_not_grant_it() {
    assert!(!two_hold_after_a_failover(Guarded::Fully));
}

#[test]
fn without_the_guard_a_promoted_replica_grants_what_it_lacks() {
    assert!(two_hold_after_a_failover(Guarded::Not));
    assert!(two_hold_after_a_failover(Guarded::Without("quarantine")));
}
