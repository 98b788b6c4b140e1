//! A Cluster as one node: where a lock lies, and members that die.

use std::sync::Arc;

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::node::NodeErrorKind;
use redlock::testing::servers::{RedisCluster, RedisServer};
use redlock_tests::support::eventually;

use crate::{
    acquire, acquire_eventually, add_locker, connected, connections, is_granted, locks, name, names, nobody,
    of_cluster, probe, release, run_id,
};

#[test]
fn each_name_lives_on_the_master_of_its_slot_and_all_operations_find_it_there() {
    let cluster = RedisCluster::start(3).unwrap();
    let locks = locks(of_cluster(&cluster));
    for (home, name) in names(&cluster).iter().enumerate() {
        let guard = block_on(locks.lock(name).acquire()).unwrap();
        let mut expected = vec![Vec::new(); 3];
        expected[home] = vec![format!("redlock:{name}")];
        assert_eq!(cluster.lock_keys().unwrap(), expected);
        block_on(guard.extend()).unwrap();
        assert!(block_on(locks.lock(name).try_acquire()).unwrap().is_none());
        let token = guard.fencing_token().unwrap();
        block_on(guard.release()).unwrap();
        let next = block_on(locks.lock(name).acquire()).unwrap();
        assert!(next.fencing_token().unwrap() > token);
        block_on(next.release()).unwrap();
    }
    assert_eq!(cluster.lock_keys().unwrap(), vec![Vec::<String>::new(); 3]);
}

#[test]
fn names_with_braces_have_both_their_keys_in_one_slot() {
    let cluster = RedisCluster::start(3).unwrap();
    let locks = locks(of_cluster(&cluster));
    for name in ["{user}.1", "a{b", "a}b{", "{}x", "x{}{y}", "}{", "{{z}}"] {
        let guard = block_on(locks.lock(name).acquire()).unwrap();
        assert!(guard.fencing_token().is_some(), "{name}");
        block_on(guard.release()).unwrap();
    }
    assert_eq!(cluster.lock_keys().unwrap(), vec![Vec::<String>::new(); 3]);
}

#[test]
fn a_look_goes_to_the_master_of_the_name_and_a_probe_to_all() {
    let cluster = RedisCluster::start(3).unwrap();
    let node = connected(of_cluster(&cluster));
    assert_eq!(node.address(), format!("cluster:{}", cluster.addresses().join(",")));
    for lock in names(&cluster) {
        assert!(is_granted(&acquire(&node, &lock, 1)));
        assert!(block_on(Arc::clone(&node).inspect(name(&lock))).unwrap().held);
        assert!(release(&node, &lock, 1, None).unwrap().was_held);
        assert!(!block_on(Arc::clone(&node).inspect(name(&lock))).unwrap().held);
    }
    let instance = block_on(Arc::clone(&node).probe()).unwrap().instance.unwrap();
    for master in cluster.masters() {
        assert!(instance.contains(&run_id(master)), "{instance}");
    }
    let other_seed = RedisConfig::cluster([cluster.master(2).address()]).unwrap();
    assert_eq!(probe(other_seed).unwrap().instance, Some(instance), "whoever was asked first");
    assert!(node.clock().is_some());
}

#[test]
fn seeds_may_be_down_as_long_as_one_answers() {
    let cluster = RedisCluster::start(3).unwrap();
    let seeds = [nobody(), nobody(), cluster.master(1).address()];
    let node = connected(RedisConfig::cluster(seeds).unwrap());
    for lock in names(&cluster) {
        assert!(is_granted(&acquire(&node, &lock, 1)));
    }
}

#[test]
fn when_a_master_dies_its_replica_is_found() {
    let cluster = RedisCluster::start_with_replica(3).unwrap();
    let node = connected(of_cluster(&cluster));
    let before = block_on(Arc::clone(&node).probe()).unwrap();
    let lock = &names(&cluster)[0];
    assert!(is_granted(&acquire(&node, lock, 1)));
    assert!(release(&node, lock, 1, None).unwrap().was_held);
    cluster.master(0).kill();
    let error = acquire(&node, lock, 1).unwrap_err();
    let expected = [NodeErrorKind::Unreachable, NodeErrorKind::Disconnected];
    assert!(expected.contains(&error.kind), "{error}");
    assert!(error.to_string().contains(&format!("master {}", cluster.master(0).address())), "{error}");
    acquire_eventually(&node, lock, 1);
    let replica = cluster.replica().unwrap();
    assert_eq!(replica.lock_keys().unwrap(), [format!("redlock:{lock}")]);
    eventually("all masters are connected", || {
        block_on(Arc::clone(&node).probe()).is_ok_and(|identity| identity.instance != before.instance)
    });
    assert!(release(&node, lock, 1, None).unwrap().was_held);
    assert!(replica.lock_keys().unwrap().is_empty());
}

#[test]
fn a_quorum_of_one_works_again_after_a_failover() {
    let cluster = RedisCluster::start_with_replica(3).unwrap();
    let locks = locks(of_cluster(&cluster));
    let lock = &names(&cluster)[0];
    let token = block_on(locks.lock(lock).acquire()).unwrap().fencing_token().unwrap();
    eventually("it is released", || cluster.lock_keys().unwrap().iter().all(Vec::is_empty));
    cluster.master(0).kill();
    // It waits as long as nobody keeps the slot.
    let guard = block_on(locks.lock(lock).acquire()).unwrap();
    assert!(guard.fencing_token().unwrap() > token);
    block_on(guard.release()).unwrap();
}

#[test]
fn one_node_of_a_quorum_may_be_a_cluster() {
    let cluster = RedisCluster::start(3).unwrap();
    let others = [RedisServer::start().unwrap(), RedisServer::start().unwrap()];
    let builder = redlock::Locks::builder().restart_guard(false).redis(of_cluster(&cluster));
    let locks = block_on(builder.nodes(others.iter().map(RedisServer::url)).build()).unwrap();
    for (home, lock) in names(&cluster).iter().enumerate() {
        let guard = block_on(locks.lock(lock).acquire()).unwrap();
        let keepers = || others.iter().chain([cluster.master(home)]);
        eventually("all have granted", || {
            keepers().all(|server| server.lock_keys().unwrap() == [format!("redlock:{lock}")])
        });
        block_on(guard.release()).unwrap();
        eventually("no key is left", || keepers().all(|server| server.lock_keys().unwrap().is_empty()));
    }
}

#[test]
fn there_is_one_connection_to_each_master_and_none_is_left() {
    let cluster = RedisCluster::start(3).unwrap();
    cluster.masters().for_each(add_locker);
    let node = connected(of_cluster(&cluster).username("locker").password("pw"));
    for lock in names(&cluster) {
        assert!(is_granted(&acquire(&node, &lock, 1)));
    }
    eventually("one connection each is left", || cluster.masters().all(|master| connections(master) == 1));
    drop(node);
    eventually("none is left", || cluster.masters().all(|master| connections(master) == 0));
}

#[test]
fn a_user_with_the_documented_rights_can_lock() {
    let cluster = RedisCluster::start(3).unwrap();
    let rights = "+info +script|load +evalsha +time +set +get +del +pttl +pexpire";
    let user = |master: &RedisServer, cluster: &str| {
        let mut command = vec!["ACL", "SETUSER", "locker", "on", ">pw", "~redlock:*", "~#redlock:*", "-@all"];
        command.extend(rights.split(' ').chain([cluster]));
        master.command(&command).unwrap();
    };
    cluster.masters().for_each(|master| user(master, "-cluster"));
    let config = of_cluster(&cluster).username("locker").password("pw");
    let error = probe(config.clone()).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("cluster"), "{error}");
    cluster.masters().for_each(|master| user(master, "+cluster|slots"));
    let locks = locks(config);
    for lock in names(&cluster) {
        block_on(block_on(locks.lock(&lock).acquire()).unwrap().release()).unwrap();
    }
}
