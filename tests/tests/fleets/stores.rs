//! Fleets of other stores than Redis: clients lock by their configuration, and what is done to the servers is done.

use std::path::Path;

use futures::executor::block_on;
use redlock::Locks;
use redlock::config::Config;
use redlock_tests::fault::{FaultKind, check, possible};
use redlock_tests::fleet::{
    Action, EtcdFleet, FileFleet, Fleet, FleetError, MemcachedFleet, Servers, ZooKeeperFleet,
};
use redlock_tests::support::{LIMIT, eventually};

use super::client::connects;

fn locks(fleet: &dyn Fleet) -> Locks {
    let own = "expiration = \"2s\"\nmaxExpiration = \"2s\"\nnodeTimeout = \"500ms\"\n";
    let text = fleet.config(&fleet.addresses()) + own;
    let config = Config::from_toml_str(&text, Path::new("redlock.toml")).unwrap();
    block_on(config.into_builder().unwrap().init()).unwrap()
}

/// The keys of locks on all nodes.
fn keys(fleet: &dyn Fleet) -> Vec<String> {
    (0..fleet.addresses().len()).flat_map(|node| fleet.lock_keys(node, "redlock").unwrap()).collect()
}

/// Locks, and looks at what there is of it: so many keys while the lock is held, and none afterwards.
fn locks_and_leaves_nothing(fleet: &dyn Fleet, copies: usize) {
    let locks = locks(fleet);
    let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    eventually("the lock is where it has to be", || keys(fleet).len() == copies);
    assert!(keys(fleet).iter().all(|key| key.contains('a')), "{:?}", keys(fleet));
    block_on(guard.release()).unwrap();
    block_on(locks.shutdown(LIMIT));
    assert_eq!(keys(fleet), [""; 0]);
}

fn refuses(fleet: &dyn Fleet, action: Action) {
    assert!(!fleet.actions().contains(&action.kind()));
    let error = fleet.act(0, action).unwrap_err();
    assert!(matches!(error, FleetError::Unsupported { .. }), "{error}");
}

#[test]
fn memcached_forgets_what_it_had() {
    let fleet = MemcachedFleet::start(3).unwrap();
    assert_eq!(fleet.servers(), Servers::Nodes);
    locks_and_leaves_nothing(&fleet, 3);
    let locks = locks(&fleet);
    let guard = block_on(locks.lock("a").wait_at_most(LIMIT).acquire()).unwrap();
    eventually("every node has the lock", || keys(&fleet).len() == 3);
    drop(locks);
    fleet.act(0, Action::Flush).unwrap();
    fleet.act(1, Action::Kill).unwrap();
    assert!(!connects(&fleet.addresses()[1]));
    assert!(fleet.act(0, Action::StartEmpty).is_err(), "it runs");
    fleet.act(1, Action::Start).unwrap();
    fleet.act(2, Action::Pause).unwrap();
    assert!(connects(&fleet.addresses()[2]));
    fleet.act(2, Action::Resume).unwrap();
    assert!(
        fleet.lock_keys(2, "redlock").unwrap().len() == 1 && fleet.lock_keys(2, "red").unwrap().is_empty()
    );
    drop(guard);
    refuses(&fleet, Action::Promote);
    let addresses = fleet.addresses();
    drop(fleet);
    assert!(!addresses.iter().any(|address| connects(address)));
}

/// A majority is lost and comes back, in one order and the other, and the ensemble has what it had.
fn keeps_what_it_had(fleet: &dyn Fleet) {
    assert_eq!(fleet.servers(), Servers::Members);
    locks_and_leaves_nothing(fleet, 1);
    let leader = fleet.leader().unwrap();
    let next = (leader + 1) % 3;
    fleet.act(leader, Action::Kill).unwrap();
    fleet.act(next, Action::Kill).unwrap();
    assert!(!connects(&fleet.addresses()[leader]));
    // One alone of three cannot get ready, and is not waited for with the others down.
    fleet.act(leader, Action::Start).unwrap();
    fleet.act(next, Action::Start).unwrap();
    fleet.act(next, Action::Pause).unwrap();
    assert!(fleet.leader().is_ok());
    fleet.act(next, Action::Resume).unwrap();
    locks_and_leaves_nothing(fleet, 1);
    refuses(fleet, Action::Flush);
}

#[test]
fn members_of_etcd_come_back_with_what_they_had() {
    keeps_what_it_had(&EtcdFleet::start(3).unwrap());
}

/// The members are dealt with as those of etcd are.
#[test]
fn of_zookeeper_the_locks_are_told_from_all_else() {
    let fleet = ZooKeeperFleet::start(1).unwrap();
    assert_eq!((fleet.servers(), fleet.leader().unwrap()), (Servers::Members, 0));
    locks_and_leaves_nothing(&fleet, 1);
    refuses(&fleet, Action::Flush);
}

#[test]
fn a_directory_has_clients_to_hurt_and_nothing_else() {
    let fleet = FileFleet::start(1).unwrap();
    locks_and_leaves_nothing(&fleet, 1);
    assert_eq!(possible(&fleet), [FaultKind::ClientKill, FaultKind::ClientPause]);
    let error = check(&fleet, &[FaultKind::Partition]).unwrap_err();
    assert!(error.contains("`file`") && error.contains("client-kill"), "{error}");
    refuses(&fleet, Action::Kill);
    let directory = fleet.addresses().remove(0);
    drop(fleet);
    assert!(!Path::new(&directory).exists());
}
