//! One course of an election on every kind of node.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::memory::MemoryNode;
use redlock::node::Node;
use redlock::testing::real_env;
use redlock::testing::servers::{MemcachedServer, RedisFleet, ZooKeeperEnsemble};
use redlock::{LeadershipState, Locks, LocksBuilder, LostReason, Observation};

/// Sessions and leases of whole seconds come to their end within it.
const TTL: Duration = Duration::from_secs(6);

fn builder() -> LocksBuilder {
    Locks::builder().restart_guard(false).ttl(TTL).node_timeout(Duration::from_millis(1_500))
}

fn at(urls: &[String]) -> LocksBuilder {
    builder().nodes(urls.iter().cloned())
}

/// Won, announced, observed, refused to others, resigned, won by the next; and lost by whoever renews no more.
fn an_election_takes_its_course(process: impl Fn() -> LocksBuilder) {
    let [one, other, third] = [(), (), ()].map(|()| block_on(process().build()).unwrap());
    let elections = [&one, &other, &third].map(|locks| locks.election("chief"));
    let mut observer = elections[2].observe().unwrap();
    assert!(matches!(block_on(observer.next()), Observation::NoLeader));
    assert_eq!(block_on(elections[2].leader()).unwrap(), None);

    let mut leadership = block_on(elections[0].campaign()).unwrap();
    assert!(block_on(elections[1].try_campaign()).unwrap().is_none());
    block_on(leadership.verify()).unwrap();
    block_on(leadership.proclaim("http://one:8080")).unwrap();
    let leader = block_on(elections[2].leader()).unwrap().unwrap();
    assert_eq!((&leader.candidate, leader.epoch), (elections[0].candidate(), leadership.epoch()));
    assert_eq!(leader.value, "http://one:8080");
    let observed = loop {
        match block_on(observer.next()) {
            Observation::Leader(observed) if observed.value == leader.value => break observed,
            Observation::Disconnected(said) => panic!("{said}"),
            _ => {}
        }
    };
    assert_eq!((&observed.candidate, observed.epoch), (&leader.candidate, leader.epoch));

    block_on(leadership.resign()).unwrap();
    assert_eq!(leadership.state(), LeadershipState::Resigned);
    let next = block_on(elections[1].campaign()).unwrap();
    assert!(next.epoch() > leadership.epoch());
    let leader = block_on(elections[2].leader()).unwrap().unwrap();
    assert_eq!((&leader.candidate, leader.epoch), (elections[1].candidate(), next.epoch()));

    // Nothing is renewed from now on.
    block_on(other.shutdown(Duration::ZERO));
    let last = block_on(elections[0].campaign()).unwrap();
    assert!(last.epoch() > next.epoch());
    assert_eq!(next.state(), LeadershipState::Lost(LostReason::Expired));
    // A loss is told a millisecond ahead.
    assert!(last.since().saturating_add(Duration::from_millis(1)) >= next.valid_until());
    drop(next);
    assert_eq!(last.state(), LeadershipState::Leading, "what was lost takes nothing along");
}

#[test]
fn an_election_on_five_redis() {
    let fleet = RedisFleet::start(5).unwrap();
    an_election_takes_its_course(|| at(&fleet.urls()));
}

#[test]
fn an_election_on_memcached() {
    let server = MemcachedServer::start().unwrap();
    an_election_takes_its_course(|| at(&[server.url()]));
}

#[test]
fn an_election_on_zookeeper() {
    let ensemble = ZooKeeperEnsemble::start(1).unwrap();
    an_election_takes_its_course(|| at(&[ensemble.url()]));
}

#[cfg(feature = "etcd")]
#[test]
fn an_election_on_etcd() {
    let ensemble = redlock::testing::servers::EtcdEnsemble::start(1).unwrap();
    an_election_takes_its_course(|| at(&[ensemble.url()]));
}

#[test]
fn an_election_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file://{}", directory.path().join("locks").display());
    an_election_takes_its_course(|| at(std::slice::from_ref(&url)));
}

#[test]
fn an_election_in_this_process() {
    let node = MemoryNode::new("memory", real_env().unwrap());
    an_election_takes_its_course(|| builder().node(Arc::clone(&node) as Arc<dyn Node>));
}

#[test]
fn an_election_on_nodes_of_several_kinds() {
    let (redis, memcached) = (RedisFleet::start(1).unwrap(), MemcachedServer::start().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = format!("file://{}", directory.path().join("locks").display());
    let urls = [redis.urls().concat(), memcached.url(), file];
    an_election_takes_its_course(|| at(&urls));
}
