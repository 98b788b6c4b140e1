//! Slots that change masters while their names are locked.

use std::sync::Arc;

use futures::executor::block_on;
use redlock::node::{Effect, NodeErrorKind};
use redlock::testing::servers::RedisCluster;

use crate::{acquire, connected, extend, is_granted, locks, name, names, of_cluster, release};

#[test]
fn a_lock_follows_its_slot_to_another_master() {
    let cluster = RedisCluster::start(3).unwrap();
    let locks = locks(of_cluster(&cluster));
    let lock = &names(&cluster)[0];
    let guard = block_on(locks.lock(lock).acquire()).unwrap();
    let slot = cluster.slot(&format!("redlock:{lock}")).unwrap();
    cluster.begin_migration(slot, 0, 1).unwrap();
    cluster.finish_migration(slot, 0, 1).unwrap();
    block_on(guard.extend()).unwrap();
    assert!(block_on(locks.lock(lock).try_acquire()).unwrap().is_none());
    let token = guard.fencing_token().unwrap();
    block_on(guard.release()).unwrap();
    assert_eq!(cluster.lock_keys().unwrap(), vec![Vec::<String>::new(); 3]);
    let next = block_on(locks.lock(lock).acquire()).unwrap();
    assert!(next.fencing_token().unwrap() > token);
    assert_eq!(cluster.master(1).lock_keys().unwrap(), [format!("redlock:{lock}")]);
}

#[test]
fn a_request_that_comes_to_the_former_master_is_sent_once_more_to_the_new_one() {
    let cluster = RedisCluster::start(3).unwrap();
    let lock = &names(&cluster)[0];
    let slot = cluster.slot(&format!("redlock:{lock}")).unwrap();
    // A node each, so that none of them has heard of the move.
    let nodes: Vec<_> = (0..4).map(|_| connected(of_cluster(&cluster))).collect();
    cluster.begin_migration(slot, 0, 2).unwrap();
    cluster.finish_migration(slot, 0, 2).unwrap();
    assert!(is_granted(&acquire(&nodes[0], lock, 1)));
    assert!(is_granted(&extend(&nodes[1], lock, 1)));
    assert!(block_on(Arc::clone(&nodes[2]).inspect(name(lock))).unwrap().held);
    assert!(release(&nodes[3], lock, 1, None).unwrap().was_held);
    assert_eq!(cluster.lock_keys().unwrap(), vec![Vec::<String>::new(); 3]);
}

#[test]
fn while_a_slot_is_migrated_its_free_names_are_refused_without_effect() {
    let cluster = RedisCluster::start(3).unwrap();
    let lock = &names(&cluster)[0];
    let other = format!("x{{redlock:{lock}}}");
    let slot = cluster.slot(&format!("redlock:{lock}")).unwrap();
    assert_eq!(cluster.slot(&format!("redlock:{other}")).unwrap(), slot);
    let node = connected(of_cluster(&cluster));
    cluster.begin_migration(slot, 0, 1).unwrap();
    for _ in 0..3 {
        let error = acquire(&node, &other, 1).unwrap_err();
        assert_eq!((error.kind, error.effect), (NodeErrorKind::NotReady, Effect::None), "{error}");
        assert!(error.to_string().contains("ASK"), "{error}");
    }
    assert_eq!(cluster.lock_keys().unwrap(), vec![Vec::<String>::new(); 3]);
    cluster.finish_migration(slot, 0, 1).unwrap();
    assert!(is_granted(&acquire(&node, &other, 1)));
    assert_eq!(cluster.master(1).lock_keys().unwrap(), [format!("redlock:{other}")]);
}

#[test]
fn a_waiting_acquisition_gets_its_lock_when_the_migration_ends() {
    let cluster = RedisCluster::start(3).unwrap();
    let locks = locks(of_cluster(&cluster));
    let lock = names(&cluster)[0].clone();
    let slot = cluster.slot(&format!("redlock:{lock}")).unwrap();
    cluster.begin_migration(slot, 0, 1).unwrap();
    assert!(block_on(locks.lock(&lock).try_acquire()).is_err());
    let waiting = std::thread::spawn({
        let (locks, lock) = (locks.clone(), lock.clone());
        move || block_on(locks.lock(&lock).acquire()).unwrap()
    });
    cluster.finish_migration(slot, 0, 1).unwrap();
    let guard = waiting.join().unwrap();
    assert_eq!(cluster.master(1).lock_keys().unwrap(), [format!("redlock:{lock}")]);
    block_on(guard.release()).unwrap();
    assert_eq!(cluster.lock_keys().unwrap(), vec![Vec::<String>::new(); 3]);
}
