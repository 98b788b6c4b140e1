//! Servers that answer nothing, or too much is asked of.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::node::NodeErrorKind;
use redlock::testing::servers::{RedisCluster, RedisServer};
use redlock_tests::support::{LIMIT, eventually};

use crate::{acquire, connected, names, of_cluster, probe, start};

/// Whether the peer of a node that asks `address` and is dropped then sees the end of the connection.
fn hangs_up(config: impl Fn(&str) -> RedisConfig) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let node = start(config(&listener.local_addr().unwrap().to_string()));
    let (mut stream, _) = listener.accept().unwrap();
    drop(node);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.read_to_end(&mut Vec::new()).is_ok()
}

#[test]
fn a_node_that_is_dropped_while_it_asks_a_sentinel_hangs_up() {
    assert!(hangs_up(|address| RedisConfig::sentinel("mymaster", [address]).unwrap()));
}

#[test]
fn a_node_that_is_dropped_while_it_asks_for_slots_hangs_up() {
    assert!(hangs_up(|address| RedisConfig::cluster([address]).unwrap()));
}

#[test]
fn a_server_that_answers_nothing_costs_no_more_than_the_time_for_an_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for config in
        [RedisConfig::sentinel("mymaster", [&address]).unwrap(), RedisConfig::cluster([&address]).unwrap()]
    {
        let error = probe(config).unwrap_err();
        assert_eq!(error.kind, NodeErrorKind::Unreachable, "{error}");
        assert!(error.to_string().contains(&format!("{address}: no answer within 3s")), "{error}");
    }
}

/// How often somebody has asked this server for the slots.
fn looks(server: &RedisServer) -> u64 {
    let info = server.command(&["INFO", "commandstats"]).unwrap();
    let line = info.text().unwrap().lines().find(|line| line.starts_with("cmdstat_cluster|slots:"));
    let calls = line.and_then(|line| line.split_once("calls=")?.1.split(',').next()?.parse().ok());
    calls.unwrap_or(0)
}

#[test]
fn however_many_requests_fail_the_slots_are_not_looked_at_all_the_time() {
    let cluster = RedisCluster::start(3).unwrap();
    let node = connected(of_cluster(&cluster));
    let lock = &names(&cluster)[0];
    cluster.master(0).kill();
    let all_looks = || looks(cluster.master(1)) + looks(cluster.master(2));
    let before = all_looks();
    let started = Instant::now();
    let mut failed = 0;
    while failed < 200 || started.elapsed() < Duration::from_secs(1) {
        assert!(acquire(&node, lock, 1).is_err());
        failed += 1;
    }
    eventually("it is looked at", || all_looks() > before);
    let looked = all_looks() - before;
    let most = u64::try_from(started.elapsed().as_millis() / 50).unwrap() + 2;
    assert!(looked <= most, "{looked} looks for {failed} requests, at most {most} expected");
}

#[test]
fn a_probe_of_a_cluster_tells_which_of_its_masters_cannot_be_reached() {
    let cluster = RedisCluster::start(3).unwrap();
    let node = connected(of_cluster(&cluster));
    cluster.master(2).kill();
    eventually("it is noticed", || {
        let answer = block_on(Arc::clone(&node).probe());
        answer.is_err_and(|error| {
            error.to_string().contains(&format!("master {}", cluster.master(2).address()))
        })
    });
}
