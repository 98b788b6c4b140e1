//! Servers that are not what the configuration says.

use std::path::Path;

use futures::executor::block_on;
use redlock::backend::redis::{RedisClusterNode, RedisConfig, RedisConfigError, RedisNode};
use redlock::config::Config;
use redlock::node::{Effect, NodeErrorKind};
use redlock::testing::real_env;
use redlock::testing::servers::{RedisCluster, RedisFleet, RedisSentinels};
use redlock::{BuildError, Locks, Protections};

use redlock_tests::support::eventually;

use crate::{acquire, acquire_eventually, connected, names, nobody, of_cluster, probe};

#[test]
fn independent_masters_are_no_cluster_and_the_error_says_where_they_belong() {
    let fleet = RedisFleet::start(2).unwrap();
    let addrs: Vec<_> = fleet.iter().map(redlock::testing::servers::RedisServer::address).collect();
    let text = format!("[lock.redis]\naddrs = {addrs:?}");
    let config = Config::from_toml_str(&text, Path::new("etc.toml")).unwrap();
    let error = block_on(config.into_builder().unwrap().build()).unwrap_err();
    assert!(matches!(error, BuildError::Misconfigured { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("[lock.redlock]") && text.contains("cluster_enabled:0"), "{text}");
    assert!(text.contains(&addrs[0]), "{text}");
}

#[test]
fn a_table_of_due_with_several_addresses_locks_in_a_cluster() {
    let cluster = RedisCluster::start(3).unwrap();
    let text = format!("[lock.redis]\naddrs = {:?}\ndb = 0", cluster.addresses());
    let config = Config::from_toml_str(&text, Path::new("etc.toml")).unwrap();
    let locks = block_on(config.into_builder().unwrap().build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let home = cluster.home("due:lock:a").unwrap();
    assert_eq!(cluster.master(home).lock_keys().unwrap(), ["due:lock:a"]);
    block_on(guard.release()).unwrap();
}

#[test]
fn a_table_with_a_master_name_locks_behind_sentinels() {
    let sentinels = RedisSentinels::start_with_passwords(Some("mast3r"), Some("w4tcher")).unwrap();
    let text = format!(
        "[lock.redis]\naddrs = {:?}\nmasterName = 'mymaster'\npassword = 'mast3r'\nsentinelPassword = 'w4tcher'\ndb = 3",
        sentinels.sentinel_addresses()
    );
    let config = Config::from_toml_str(&text, Path::new("etc.toml")).unwrap();
    let locks = block_on(config.into_builder().unwrap().build()).unwrap();
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    let info = sentinels.server(0).command(&["INFO", "keyspace"]).unwrap();
    assert!(info.text().unwrap().contains("db3:keys="), "{info:?}");
    block_on(guard.release()).unwrap();
}

#[test]
fn one_member_of_a_cluster_by_itself_says_how_to_name_the_cluster() {
    let cluster = RedisCluster::start(3).unwrap();
    let node = connected(RedisConfig::from_url(&cluster.master(0).url()).unwrap());
    let names = names(&cluster);
    assert!(acquire(&node, &names[0], 1).is_ok());
    let error = acquire(&node, &names[1], 1).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Moved, Effect::None), "{error}");
    assert!(error.to_string().contains("MOVED"), "{error}");
    assert!(error.to_string().contains("several of its addresses"), "{error}");
}

#[test]
fn without_any_member_the_error_says_what_happened_at_each() {
    let seeds = [nobody(), nobody()];
    let error = probe(RedisConfig::cluster(&seeds).unwrap()).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Unreachable, Effect::None), "{error}");
    for seed in seeds {
        assert!(error.to_string().contains(&format!("{seed}: connection refused")), "{error}");
    }
}

#[test]
fn a_cluster_in_which_nobody_has_slots_is_no_node_yet() {
    let options = redlock::testing::servers::RedisServer::options();
    let server = options.arg("--cluster-enabled", "yes").start().unwrap();
    let error = probe(RedisConfig::cluster([server.address()]).unwrap()).unwrap_err();
    assert!(error.to_string().contains("it knows no slots"), "{error}");
    assert!(error.kind.is_transient(), "{error}");
}

#[test]
fn a_cluster_that_is_down_grants_nothing_until_it_is_up() {
    let cluster = RedisCluster::start(3).unwrap();
    let node = connected(of_cluster(&cluster));
    let lock = &names(&cluster)[0];
    let slot = cluster.slot(&format!("redlock:{lock}")).unwrap().to_string();
    cluster.masters().for_each(|master| drop(master.command(&["CLUSTER", "DELSLOTS", &slot]).unwrap()));
    eventually("it is said without an effect", || {
        let error = acquire(&node, lock, 1).unwrap_err();
        error.effect == Effect::None && error.to_string().contains("no master of the Cluster keeps slot")
    });
    cluster.master(2).command(&["CLUSTER", "ADDSLOTS", &slot]).unwrap();
    acquire_eventually(&node, lock, 1);
    assert_eq!(cluster.master(2).lock_keys().unwrap(), [format!("redlock:{lock}")]);
}

#[test]
fn one_cluster_has_one_vote_whichever_of_its_members_are_named() {
    let cluster = RedisCluster::start(3).unwrap();
    let one = RedisConfig::cluster([cluster.master(0).address()]).unwrap();
    for other in [
        RedisConfig::cluster([cluster.master(1).address()]).unwrap(),
        RedisConfig::from_url(&cluster.master(1).url()).unwrap(),
    ] {
        let builder = Locks::builder().restart_guard(false).redis(one.clone()).redis(other);
        let error = block_on(builder.build()).unwrap_err();
        assert!(matches!(error, BuildError::SameServer { .. }), "{error}");
    }
}

#[test]
fn a_member_of_a_cluster_is_no_independent_master_and_the_error_says_how_to_name_the_cluster() {
    let cluster = RedisCluster::start(3).unwrap();
    for master in cluster.masters() {
        let error = block_on(Locks::builder().nodes([master.url()]).build()).unwrap_err();
        let text = error.to_string();
        match error {
            BuildError::Misconfigured { .. } => assert!(text.contains("several of its addresses"), "{text}"),
            // The one that keeps the slot of the marker.
            BuildError::Preflight { .. } => assert!(text.contains("luster"), "{text}"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_configuration_of_the_other_kind_is_refused() {
    let cluster = RedisConfig::cluster(["a:1", "b:1"]).unwrap();
    let error = RedisNode::start(cluster, real_env().unwrap(), Protections::default()).unwrap_err();
    assert!(matches!(error, RedisConfigError::Topology { .. }), "{error}");
    let one = RedisConfig::new("a");
    let error = RedisClusterNode::start(one, real_env().unwrap(), Protections::default()).unwrap_err();
    assert!(matches!(error, RedisConfigError::Topology { .. }), "{error}");
}
