//! A master that sentinels name, and what follows when they name another.

use std::sync::Arc;

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::node::NodeErrorKind;
use redlock::testing::servers::{RedisSentinels, RedisServer};
use redlock_tests::support::eventually;

use crate::{
    acquire, acquire_eventually, add_locker, by_sentinels, connected, connections, extend, is_granted, locks,
    name, release, rename,
};

#[test]
fn a_lock_lives_on_the_master_that_sentinels_name() {
    let sentinels = RedisSentinels::start().unwrap();
    let master = sentinels.server(0);
    let locks = locks(by_sentinels(&sentinels));
    let first = block_on(locks.lock("a").acquire()).unwrap();
    assert_eq!(master.lock_keys().unwrap(), ["redlock:a"]);
    block_on(first.extend()).unwrap();
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none());
    let token = first.fencing_token().unwrap();
    block_on(first.release()).unwrap();
    assert!(master.lock_keys().unwrap().is_empty());
    let second = block_on(locks.lock("a").acquire()).unwrap();
    assert!(second.fencing_token().unwrap() > token);
}

#[test]
fn a_look_shows_what_the_master_has_and_the_address_names_the_sentinels() {
    let sentinels = RedisSentinels::start().unwrap();
    let node = connected(by_sentinels(&sentinels));
    assert_eq!(node.address(), format!("sentinel:mymaster@{}", sentinels.sentinel_addresses().join(",")));
    assert!(is_granted(&acquire(&node, "a", 1)));
    assert!(block_on(Arc::clone(&node).inspect(name("a"))).unwrap().held);
    assert!(release(&node, "a", 1, None).unwrap().was_held);
    assert!(!block_on(Arc::clone(&node).inspect(name("a"))).unwrap().held);
}

#[test]
fn when_the_master_dies_its_successor_is_found_and_is_another_process() {
    let sentinels = RedisSentinels::start().unwrap();
    let node = connected(by_sentinels(&sentinels));
    let before = block_on(Arc::clone(&node).probe()).unwrap();
    assert!(is_granted(&acquire(&node, "a", 1)));
    sentinels.server(0).kill();
    let error = {
        let mut last = None;
        eventually("it is noticed", || {
            last = acquire(&node, "b", 1).err();
            last.is_some()
        });
        last.unwrap()
    };
    assert!(matches!(error.kind, NodeErrorKind::Unreachable | NodeErrorKind::Disconnected), "{error}");
    acquire_eventually(&node, "c", 1);
    let master = sentinels.master().unwrap();
    assert_ne!(master.address(), sentinels.server(0).address());
    assert!(master.lock_keys().unwrap().contains(&"redlock:c".to_owned()));
    assert_ne!(block_on(Arc::clone(&node).probe()).unwrap().instance, before.instance);
    assert!(release(&node, "c", 1, None).unwrap().was_held);
    for released in ["a", "b"] {
        release(&node, released, 1, None).unwrap();
    }
    assert!(master.lock_keys().unwrap().is_empty());
}

#[test]
fn locks_work_again_after_a_failover_and_tokens_still_rise() {
    let sentinels = RedisSentinels::start().unwrap();
    let locks = locks(by_sentinels(&sentinels));
    let first = block_on(locks.lock("a").acquire()).unwrap();
    let token = first.fencing_token().unwrap();
    block_on(first.release()).unwrap();
    sentinels.server(0).kill();
    // It waits as long as there is no master.
    let second = block_on(locks.lock("a").acquire()).unwrap();
    assert!(second.fencing_token().unwrap() > token);
    block_on(second.release()).unwrap();
}

#[test]
fn a_master_that_was_made_a_replica_refuses_the_old_session_and_its_successor_is_found() {
    let sentinels = RedisSentinels::start().unwrap();
    let node = connected(by_sentinels(&sentinels));
    assert!(is_granted(&acquire(&node, "a", 1)));
    // As a failover does, but without closing the connection.
    let (old, new) = (sentinels.server(0), sentinels.server(1));
    new.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    old.command(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]).unwrap();
    let error = acquire(&node, "b", 1).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::ReadOnly, "{error}");
    eventually("the connection is given up", || {
        let error = acquire(&node, "b", 1).unwrap_err();
        error.kind == NodeErrorKind::Unreachable && error.to_string().contains(&old.address())
    });
    for index in 0..3 {
        rename(&sentinels, index, new);
    }
    acquire_eventually(&node, "c", 1);
    assert!(new.lock_keys().unwrap().contains(&"redlock:c".to_owned()));
}

#[test]
fn an_idle_connection_is_given_up_when_the_sentinels_name_another_master() {
    let sentinels = RedisSentinels::start().unwrap();
    let node = connected(by_sentinels(&sentinels));
    let other = RedisServer::start().unwrap();
    for index in 0..3 {
        rename(&sentinels, index, &other);
    }
    // The former master runs and answers: nothing but the sentinels tells.
    eventually("its successor is used", || {
        let _ = acquire(&node, "a", 1);
        other.lock_keys().unwrap() == ["redlock:a"]
    });
    assert!(is_granted(&extend(&node, "a", 1)));
}

#[test]
fn a_sentinel_that_names_a_former_master_alone_is_not_followed() {
    let sentinels = RedisSentinels::start().unwrap();
    let stale = RedisServer::start().unwrap();
    rename(&sentinels, 0, &stale);
    for lock in ["a", "b", "c"] {
        assert!(is_granted(&acquire(&connected(by_sentinels(&sentinels)), lock, 1)));
    }
    assert_eq!(sentinels.server(0).lock_keys().unwrap().len(), 3);
    assert!(stale.lock_keys().unwrap().is_empty());
}

#[test]
fn one_node_of_a_quorum_may_be_behind_sentinels() {
    let sentinels = RedisSentinels::start().unwrap();
    let others = [RedisServer::start().unwrap(), RedisServer::start().unwrap()];
    let builder = redlock::Locks::builder().restart_guard(false).redis(by_sentinels(&sentinels));
    let locks = block_on(builder.nodes(others.iter().map(RedisServer::url)).build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    eventually("all have granted", || {
        others.iter().chain([sentinels.server(0)]).all(|server| server.lock_keys().unwrap() == ["redlock:a"])
    });
    others[0].kill();
    block_on(guard.extend()).unwrap();
    block_on(guard.release()).unwrap();
    eventually("no key is left", || {
        [&others[1], sentinels.server(0)].iter().all(|server| server.lock_keys().unwrap().is_empty())
    });
}

#[test]
fn no_connection_is_left_to_master_or_sentinels() {
    let sentinels = RedisSentinels::start().unwrap();
    let watchers = [0, 1, 2].map(|index| sentinels.sentinel(index));
    watchers.iter().for_each(|sentinel| add_locker(sentinel));
    add_locker(sentinels.server(0));
    let config = by_sentinels(&sentinels).username("locker").password("pw");
    let node = connected(config.sentinel_username("locker").sentinel_password("pw"));
    assert_eq!(connections(sentinels.server(0)), 1);
    eventually("sentinels are not stayed with", || {
        watchers.iter().all(|sentinel| connections(sentinel) == 0)
    });
    drop(node);
    eventually("it is closed", || connections(sentinels.server(0)) == 0);
}

#[test]
fn servers_and_sentinels_may_each_have_a_password() {
    let sentinels = RedisSentinels::start_with_passwords(Some("mast3r"), Some("w4tcher")).unwrap();
    let config = |master: &str, sentinel: &str| {
        let config = RedisConfig::sentinel("mymaster", sentinels.sentinel_addresses()).unwrap();
        config.password(master).sentinel_password(sentinel)
    };
    assert!(is_granted(&acquire(&connected(config("mast3r", "w4tcher")), "a", 1)));
    let master = sentinels.server(0).address();
    for (config, culprit) in [
        (config("wr0ng", "w4tcher"), format!("master {master}: ")),
        (config("mast3r", "wr0ng"), format!("{}: ", sentinels.sentinel(1).address())),
        (by_sentinels(&sentinels).password("mast3r"), format!("{}: ", sentinels.sentinel(1).address())),
    ] {
        let error = crate::probe(config).unwrap_err();
        assert_eq!(error.kind, NodeErrorKind::Denied, "{error}");
        let text = error.to_string();
        assert!(text.contains(&culprit), "{text}");
        assert!(!["mast3r", "w4tcher", "wr0ng"].iter().any(|secret| text.contains(secret)), "{text}");
    }
}

/// Locks with `a` held, and the guard, when all replicas have its key.
fn held_and_replicated(sentinels: &RedisSentinels) -> (redlock::Locks, redlock::LockGuard) {
    let locks = locks(by_sentinels(sentinels));
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    eventually("the replicas know it", || {
        sentinels.servers().all(|server| server.lock_keys().unwrap() == ["redlock:a"])
    });
    (locks, guard)
}

#[test]
fn a_lock_that_was_replicated_outlives_its_master() {
    let sentinels = RedisSentinels::start().unwrap();
    let (locks, guard) = held_and_replicated(&sentinels);
    sentinels.server(0).kill();
    eventually("its successor extends it", || block_on(guard.extend()).is_ok());
    assert!(guard.is_valid());
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none());
    block_on(guard.release()).unwrap();
    eventually("no key is left", || {
        sentinels.master().is_some_and(|master| master.lock_keys().is_ok_and(|keys| keys.is_empty()))
    });
}

#[test]
fn a_lock_that_was_not_replicated_is_lost_with_its_master_and_the_holder_is_told() {
    let sentinels = RedisSentinels::start().unwrap();
    let (_locks, guard) = held_and_replicated(&sentinels);
    let other = locks(by_sentinels(&sentinels));
    // As if it had not come to them before the master died.
    for replica in sentinels.servers().skip(1) {
        replica.command(&["CONFIG", "SET", "replica-read-only", "no"]).unwrap();
        replica.command(&["DEL", "redlock:a"]).unwrap();
    }
    sentinels.server(0).kill();
    let next = block_on(other.lock("a").acquire()).unwrap();
    assert!(next.fencing_token().unwrap() > guard.fencing_token().unwrap(), "the resource can tell");
    eventually("the holder is told", || block_on(guard.extend()).is_err() && !guard.is_valid());
}

#[test]
fn with_the_restart_guard_a_promoted_replica_gives_a_lost_lock_back_to_its_holder_and_to_nobody_else() {
    const MAX_TTL: std::time::Duration = std::time::Duration::from_secs(20);
    let sentinels = RedisSentinels::start().unwrap();
    let builder = || redlock::Locks::builder().redis(by_sentinels(&sentinels)).ttl(MAX_TTL).max_ttl(MAX_TTL);
    let holder = block_on(builder().init()).unwrap();
    let other = block_on(builder().build()).unwrap();
    let guard = block_on(holder.lock("a").acquire()).unwrap();
    eventually("the replicas know it", || {
        sentinels.servers().all(|server| server.lock_keys().unwrap() == ["redlock:a"])
    });
    // As if it had not come to them before the master died.
    for replica in sentinels.servers().skip(1) {
        replica.command(&["CONFIG", "SET", "replica-read-only", "no"]).unwrap();
        replica.command(&["DEL", "redlock:a"]).unwrap();
    }
    sentinels.server(0).kill();
    eventually("its successor has judged its memory", || {
        let error = block_on(other.lock("b").try_acquire()).err().map(|error| error.to_string());
        error.is_some_and(|error| error.contains("quarantine"))
    });
    let denied = block_on(other.lock("a").try_acquire());
    assert!(!matches!(denied, Ok(Some(_))), "{denied:?}");
    eventually("the holder is given it back", || block_on(guard.extend()).is_ok());
    assert!(guard.is_valid());
    assert_eq!(sentinels.master().unwrap().lock_keys().unwrap(), ["redlock:a"]);
}
