//! TLS towards sentinels, the master that they name, and the members of a Cluster.

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::node::NodeErrorKind;
use redlock::testing::servers::{RedisCluster, RedisSentinels, RedisServer};
use redlock_tests::support::Certificates;

use crate::{locks, names, probe};

#[test]
fn sentinels_and_the_master_that_they_name_are_spoken_to_over_tls() {
    let files = Certificates::new();
    let sentinels = RedisSentinels::start_with_tls(files.server(false)).unwrap();
    let config = RedisConfig::sentinel("mymaster", sentinels.sentinel_tls_addresses()).unwrap();
    let locks = locks(config.clone().tls(files.trusting()));
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    assert_eq!(sentinels.server(0).lock_keys().unwrap(), ["redlock:a"]);
    block_on(guard.release()).unwrap();

    let error = probe(config.tls(Certificates::new().trusting())).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Tls, "nobody trusts the sentinels: {error}");
    assert!(error.to_string().contains(&sentinels.sentinel_tls_addresses()[1]), "{error}");
}

#[test]
fn every_master_of_a_cluster_is_spoken_to_over_tls() {
    let files = Certificates::new();
    let options = RedisServer::options().tls(files.server(false));
    let cluster = RedisCluster::start_with(3, &options).unwrap();
    let config = RedisConfig::cluster(cluster.tls_addresses()).unwrap();
    let locks = locks(config.clone().tls(files.trusting()));
    for (home, name) in names(&cluster).iter().enumerate() {
        let guard = block_on(locks.lock(name).acquire()).unwrap();
        assert_eq!(cluster.master(home).lock_keys().unwrap(), [format!("redlock:{name}")]);
        block_on(guard.release()).unwrap();
    }
    let error = probe(config.tls(Certificates::new().trusting())).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Tls, "nobody trusts the members: {error}");
}
